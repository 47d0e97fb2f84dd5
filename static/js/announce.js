// Says something in the one polite live region.
export function announce(text) {
  const region = document.getElementById("announcer");
  region.textContent = "";
  setTimeout(() => { region.textContent = text; }, 50); // an unchanged text would not be read again
}
