// Sets the chosen theme before the first paint, which is why this is no module: modules run after it.
(() => {
  const theme = localStorage.getItem("theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
})();
