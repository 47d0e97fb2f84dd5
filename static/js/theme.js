// Sets the chosen theme, and the kinds of messages that are left out, before the first paint; modules run after it.
(() => {
  const theme = localStorage.getItem("theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  const hidden = localStorage.getItem("hidden-kinds");
  if (hidden) document.documentElement.dataset.hide = hidden;
})();
