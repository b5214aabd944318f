// Buttons that show the examples of one kind. Without this file all are shown, by kind.
document.addEventListener("DOMContentLoaded", () => {
    const sections = [...document.querySelectorAll(".gallery-section")];
    const cards = [...document.querySelectorAll(".gallery .card")];
    if (!sections.length) return;
    const kindsOf = (card) => [...card.classList].filter((name) => name.startsWith("kind-"));
    const kinds = [...new Set(cards.flatMap(kindsOf))].sort();
    const bar = document.createElement("div");
    bar.className = "gallery-filter";
    const show = (kind) => {
        cards.forEach((card) =>
            card.classList.toggle("gallery-hidden", kind && !card.classList.contains(kind)));
        sections.forEach((section) =>
            section.classList.toggle("gallery-hidden",
                !section.querySelector(".card:not(.gallery-hidden)")));
        bar.querySelectorAll("button").forEach((button) =>
            button.setAttribute("aria-pressed", String(button.dataset.kind === kind)));
    };
    ["", ...kinds].forEach((kind) => {
        const button = document.createElement("button");
        button.type = "button";
        button.dataset.kind = kind;
        button.textContent = kind ? kind.slice("kind-".length) : "all";
        button.addEventListener("click", () => show(kind));
        bar.append(button);
    });
    sections[0].before(bar);
    show("");
});
