// The rules of docs/page.md, checked on the page as the browser shows it. Returns what breaks them.
const wrong = [];
const rule = (name, elements) => {
  for (const one of elements) wrong.push(name + ": " + (one.outerHTML || one).slice(0, 160));
};
const all = (css) => [...document.querySelectorAll(css)];
const shown = (one) => one.getClientRects().length > 0 && getComputedStyle(one).visibility !== "hidden";
const name = (one) =>
  (one.getAttribute("aria-label") || one.textContent || one.title || "").trim() ||
  [...(one.labels || [])].map((label) => label.textContent.trim()).join(" ");

rule("the language is named", document.documentElement.lang ? [] : ["html"]);
rule("the page has a title", document.title.trim() ? [] : ["head"]);
rule("the page can be zoomed", all("meta[name=viewport]").filter((one) => /user-scalable|maximum-scale/.test(one.content)));
rule("one main part, one main heading", all("main").length === 1 && all("h1").length === 1 ? [] : ["body"]);
rule("the first link leads to the content",
  document.querySelector("a")?.getAttribute("href") === "#main" && document.getElementById("main") ? [] : ["body"]);
let level = 0;
rule("no level of headings is left out", all("h1,h2,h3,h4,h5,h6").filter((one) => {
  const skips = +one.tagName[1] > level + 1;
  level = +one.tagName[1];
  return skips;
}));
rule("everything to press or fill has a name", all("a,button,input:not([type=hidden]),select,textarea").filter((one) => !name(one)));
rule("every input has a label", all("input:not([type=hidden])").filter((one) => !one.labels.length));
rule("every drawing has a description", all("svg,img").filter((one) => !(one.getAttribute("aria-label") || one.alt)));
rule("every list holds items only", all("ul,ol").filter((one) => [...one.children].some((child) => child.tagName !== "LI")));
rule("every table has a caption and headings", all("table").filter((one) => !one.caption || !one.querySelector("th[scope=col]")));
rule("landmarks of one kind have names", all("nav").length > 1 ? all("nav:not([aria-label])") : []);
const ids = all("[id]").map((one) => one.id);
rule("every id is there once", ids.filter((id, at) => ids.indexOf(id) !== at));
rule("what is referred to is there", all("[aria-labelledby],[aria-describedby],label[for]").filter((one) =>
  (one.getAttribute("aria-labelledby") || one.getAttribute("aria-describedby") || one.htmlFor)
    .split(" ").some((id) => !document.getElementById(id))));
rule("the order of the keyboard is that of the page", all("[tabindex]").filter((one) => one.tabIndex > 0));
rule("nothing moves or sounds on its own", all("video,audio,marquee,blink"));
rule("no script and no style inside the page", all("script,style,[style]").concat(
  all("*").filter((one) => [...one.attributes].some((attribute) => attribute.name.startsWith("on")))));
rule("buttons and links are big enough", all("a,button,input:not([type=hidden])").filter((one) => {
  if (!shown(one) || getComputedStyle(one).display === "inline" || one.classList.contains("skip")) return false;
  const box = one.getBoundingClientRect();
  return box.height < 24 || box.width < 24;
}));
rule("nothing is cut off at the side",
  document.documentElement.scrollWidth > document.documentElement.clientWidth ? ["body " + document.documentElement.scrollWidth] : []);

// Colours: 4.5 to 1 for text, 3 to 1 for large text.
const parse = (text) => {
  const [r, g, b, a = 1] = text.match(/[\d.]+/g).map(Number);
  return { rgb: [r, g, b], a };
};
const over = (top, under) => ({ rgb: top.rgb.map((c, at) => c * top.a + under.rgb[at] * (1 - top.a)), a: 1 });
const behind = (one) => {
  const own = parse(getComputedStyle(one).backgroundColor);
  if (own.a === 1) return own;
  const canvas = matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18] : [255, 255, 255];
  return over(own, one.parentElement ? behind(one.parentElement) : { rgb: canvas, a: 1 });
};
const light = ({ rgb }) => {
  const [r, g, b] = rgb.map((c) => (c / 255 <= 0.03928 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
rule("text stands out", all("body *").filter((one) => {
  const text = [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  if (!text || !shown(one) || one.closest(".hidden,svg")) return false;
  const style = getComputedStyle(one);
  const [a, b] = [light(over(parse(style.color), behind(one))), light(behind(one))];
  const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  const size = parseFloat(style.fontSize);
  const large = size >= 24 || (size >= 18.66 && +style.fontWeight >= 700);
  return contrast < (large ? 3 : 4.5);
}));
return wrong;
