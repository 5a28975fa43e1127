type Child = Node | string | undefined | false;

/** An HTML element with its children; strings become text, never markup. */
export function element(name: string, attributes: Record<string, string> = {}, ...children: Child[]): HTMLElement {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children.filter((child) => child !== undefined && child !== false));
  return made;
}

/** A chart with a title, and a line that says how to read it. */
export function figure(title: string, note: string, chart: Node): HTMLElement {
  return element("figure", {}, element("h3", {}, title), element("p", { class: "note" }, note), chart);
}

export const digits = (value: number, count = 3) => value.toFixed(count).replace("-", "−");
export const percent = (share: number) => `${Math.round(100 * share)} %`;
