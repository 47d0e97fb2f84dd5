// Tells what went wrong with a request of a part of the page; the part itself stays as it was.
function say(text) {
  const toast = document.createElement("undo-toast");
  toast.className = "toast";
  toast.dataset.seconds = "10";
  toast.dataset.kind = "bad";
  const words = document.createElement("span");
  words.textContent = text;
  const close = document.createElement("button");
  close.type = "button";
  close.dataset.close = "";
  close.textContent = "Close";
  toast.append(words, close);
  document.getElementById("toasts").replaceChildren(toast);
}

function sentence(html) {
  const page = new DOMParser().parseFromString(html ?? "", "text/html");
  return page.querySelector("[data-sentence]")?.textContent;
}

document.addEventListener("htmx:response:error", ({ detail: { ctx } }) => {
  if (ctx.response.status === 422) return; // a form that says by itself what is wrong
  say(sentence(ctx.text) ?? `The server answered with error ${ctx.response.status}; nothing was changed.`);
});

document.addEventListener("htmx:error", ({ detail: { ctx } }) => {
  if (ctx) say("Forklore does not answer. Is it still running? Nothing was changed.");
});
