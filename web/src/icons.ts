// The page's icons: 24x24 strokes in the colour of the text.

const paths = {
  plus: "M12 5v14M5 12h14",
  more: "M5 12v.01M12 12v.01M19 12v.01",
  list: "M4 7h16M4 12h16M4 17h10",
  send: "M12 19V5M6 11l6-6 6 6",
  stop: "M7 7h10v10H7z",
  check: "M5 12.5l4.5 4.5L19 7.5",
  cross: "M6 6l12 12M18 6L6 18",
  question: "M9 9a3 3 0 1 1 4.5 2.6c-1 .6-1.5 1.2-1.5 2.4M12 17.5v.01",
  alert: "M12 8v5M12 16.5v.01M12 3.5l9.5 16.5h-19z",
  info: "M12 11v5.5M12 7.5v.01M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18z",
  down: "M12 5v14M6 13l6 6 6-6",
  left: "M15 5l-7 7 7 7",
  right: "M9 5l7 7-7 7",
  chevron: "M8 10l4 4 4-4",
  copy: "M9 9h10v10H9zM5 15V5h10",
  sun: "M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M5.3 18.7l1.4-1.4M17.3 6.7l1.4-1.4",
  moon: "M20 14.2A8.3 8.3 0 0 1 9.8 4 8.3 8.3 0 1 0 20 14.2z",
  system: "M4 5h16v11H4zM9 20h6M12 16v4",
  logout: "M10 5H5v14h5M14 8l4 4-4 4M18 12H9",
  keyboard: "M3 7h18v10H3zM7 10.5v.01M11 10.5v.01M15 10.5v.01M18 10.5v.01M8 14h8",
  eye: "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12zM12 14.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z",
  expand: "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5",
  terminal: "M4 5h16v14H4zM7.5 9.5l3 2.5-3 2.5M12.5 15h4",
  open: "M14 4h6v6M20 4l-9 9M18 14v6H4V6h6",
  unplugged: "M4 4l16 16M8 8H6a4 4 0 0 0 0 8h3M16 16h2a4 4 0 0 0 2.5-7.1M15 8h3",
} as const;

export type IconName = keyof typeof paths;

export function icon(name: IconName): SVGSVGElement {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", paths[name]);
  svg.appendChild(path);
  return svg;
}

/** Fills `<span data-icon="name">` placeholders of index.html. */
export function placeIcons(root: ParentNode): void {
  for (const holder of root.querySelectorAll<HTMLElement>("[data-icon]")) {
    holder.replaceWith(icon(holder.dataset.icon as IconName));
  }
}
