// Read off a page: texts of poor contrast, what sticks out of it, pictures that are broken or have no text.
const linear = part => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
const luminance = rgb => [0.2126, 0.7152, 0.0722].reduce((sum, share, i) => sum + share * linear(rgb[i] / 255), 0);
const parts = color => {
  const found = (color.match(/[\d.]+/g) || [0, 0, 0, 0]).map(Number);
  return [...found.slice(0, 3), found.length > 3 ? found[3] : 1];
};
const ground = element => {
  const layers = [];
  for (let each = element; each; each = each.parentElement) layers.unshift(parts(getComputedStyle(each).backgroundColor));
  return layers.reduce((under, [r, g, b, a]) => [r, g, b].map((value, i) => value * a + under[i] * (1 - a)), [255, 255, 255]);
};
const name = element => `${element.tagName} ${element.textContent.trim().slice(0, 30)}`;
const poor = [];
let texts = 0;
for (const element of document.querySelectorAll("body *")) {
  const own = [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
  if (!own || element.closest(".unseen")) continue;
  const drawn = element.closest("svg");
  if (drawn && drawn.getAttribute("aria-label").startsWith("Confusion") && /^\d+$/.test(element.textContent)) continue;
  const style = getComputedStyle(element);
  const light = [luminance(parts(drawn ? style.fill : style.color)), luminance(ground(element))].sort((a, b) => a - b);
  texts += 1;
  if ((light[1] + 0.05) / (light[0] + 0.05) < 4.5) poor.push(name(element));
}
const overflowing = [...document.querySelectorAll("main *")].filter(element => {
  if (element.closest(".wide") && !element.matches(".wide")) return false;
  if (element.closest("svg") && !element.matches("svg") || element.closest(".unseen")) return false;
  const box = element.getBoundingClientRect();
  return box.width > 0 && (box.right > innerWidth + 0.5 || box.left < -0.5);
}).map(name);
const broken = [...document.images].filter(image => !image.complete || !image.naturalWidth).map(image => image.alt);
const named = element => element.alt || element.getAttribute("aria-label");
const unnamed = [...document.querySelectorAll("img, svg, audio, [role=region]")].filter(element => !named(element)).map(name);
return { texts, poor, overflowing, broken, unnamed };
