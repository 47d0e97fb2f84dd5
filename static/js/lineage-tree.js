// <lineage-tree>: arrow keys go from a session to its parent (left), its first child (right), and the rows beside it.
customElements.define("lineage-tree", class extends HTMLElement {
  connectedCallback() {
    this.addEventListener("keydown", (event) => {
      const row = event.target.closest("tr[data-node]");
      const next = row && !event.ctrlKey && !event.altKey && !event.metaKey && !event.shiftKey && this.next(row, event.key);
      if (!next) return;
      event.preventDefault();
      next.querySelector("a").focus();
    });
  }

  next(row, key) {
    const rows = [...this.querySelectorAll("tr[data-node]")];
    const at = rows.indexOf(row);
    if (key === "ArrowUp") return rows[at - 1];
    if (key === "ArrowDown") return rows[at + 1];
    if (key === "ArrowLeft") return rows.find((each) => each.dataset.node === row.dataset.parent);
    if (key === "ArrowRight") return rows.find((each) => each.dataset.parent === row.dataset.node);
    return null;
  }
});
