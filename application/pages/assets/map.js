// What a script adds to a page's map: a box is drawn on it, and a map to move about in opens in its place.

const place = document.querySelector('[data-map]');
const ground = place.querySelector('.ground');
const told = place.querySelector('[role=status]');
const form = document.querySelector('form.choose');
const SIDES = ['west', 'south', 'east', 'north'];

// From pixels of the ground to degrees: of the picture, then of the map.
let toDegrees = ([x, y]) => {
  const { west, north, east, south } = place.dataset;
  const { width, height } = ground.getBoundingClientRect();
  return [+west + (x / width) * (east - west), +north + (y / height) * (south - north)];
};
let whileDrawing = () => {};
// Whether what is beyond 180 degrees is the earth's other side, or nothing.
let isBeyond = 'beyond' in place.dataset;

function pointOf(event) {
  const { left, top, width, height } = ground.getBoundingClientRect();
  return [
    Math.min(Math.max(event.clientX - left, 0), width),
    Math.min(Math.max(event.clientY - top, 0), height),
  ];
}

// The same sides within 180 degrees: a west that is more than the east crosses the antimeridian.
function across(west, east) {
  if (east - west >= 360) return [-180, 180];
  const turn = (degrees) => ((degrees % 360) + 360) % 360;
  return [turn(west + 180) - 180, 180 - turn(180 - east)];
}

function fill(first, last) {
  const [a, b] = [toDegrees(first), toDegrees(last)];
  const step = Math.abs(toDegrees([1, 0])[0] - toDegrees([0, 0])[0]);
  // What a pixel tells, and no more.
  const digits = Math.min(Math.max(Math.ceil(-Math.log10(step)), 0), 7);
  const rounded = (number) => +number.toFixed(digits);
  const sides = (axis, most) => [Math.min(a[axis], b[axis]), Math.max(a[axis], b[axis])]
    .map((number) => rounded(most ? Math.min(Math.max(number, -most), most) : number));
  const [south, north] = sides(1, 90);
  const [west, east] = across(...sides(0, isBeyond ? 0 : 180)).map(rounded);
  const values = { west, south, east, north };
  SIDES.forEach((side) => { form.elements.namedItem(side).value = values[side]; });
  form.closest('details')?.setAttribute('open', '');
  form.elements.namedItem('west').dispatchEvent(new Event('input', { bubbles: true }));
  told.textContent = 'The box is in the form.';
  show.hidden = false;
}

function draw(event) {
  event.preventDefault();
  event.stopPropagation();
  ground.setPointerCapture(event.pointerId);
  const first = pointOf(event);
  const box = document.createElement('div');
  box.className = 'box';
  const stretch = (moved) => {
    const last = pointOf(moved);
    box.style.left = `${Math.min(first[0], last[0])}px`;
    box.style.top = `${Math.min(first[1], last[1])}px`;
    box.style.width = `${Math.abs(first[0] - last[0])}px`;
    box.style.height = `${Math.abs(first[1] - last[1])}px`;
  };
  ground.querySelector('.box')?.remove();
  ground.append(box);
  stretch(event);
  const stop = new AbortController();
  ground.addEventListener('pointermove', stretch, { signal: stop.signal });
  const end = (last) => {
    stop.abort();
    drawing(false);
    if (last.type === 'pointerup' && box.offsetWidth > 4 && box.offsetHeight > 4) fill(first, pointOf(last));
    else box.remove();
  };
  for (const name of ['pointerup', 'pointercancel']) ground.addEventListener(name, end, { signal: stop.signal });
}

const drawer = place.querySelector('[data-draw]');
const show = place.querySelector('[data-show]');

function drawing(is) {
  drawer.setAttribute('aria-pressed', is);
  ground.classList.toggle('drawing', is);
  whileDrawing(is);
  // Before the map's own way with the pointer.
  ground[is ? 'addEventListener' : 'removeEventListener']('pointerdown', draw, true);
  told.textContent = is ? 'Drag from one corner of the box to the other.' : '';
}

if (form?.elements.namedItem('west')) {
  drawer.hidden = false;
  drawer.addEventListener('click', () => drawing(drawer.getAttribute('aria-pressed') !== 'true'));
  show.addEventListener('click', () => form.requestSubmit());
}

// The library is large, and asks another origin: for who wants it.
const opener = place.querySelector('[data-open]');
// A style does not know of the dark.
const COLOUR = '#0b57a4';

async function open() {
  const { library, worker, sheet, styleUrl, features, words, west, south, east, north } = place.dataset;
  const { Map, NavigationControl, setWorkerUrl } = await import(library);
  setWorkerUrl(new URL(worker, location.href).href);
  const link = document.createElement('link');
  Object.assign(link, { rel: 'stylesheet', href: sheet });
  await new Promise((loaded) => { link.onload = loaded; link.onerror = loaded; document.head.append(link); });
  const container = document.createElement('div');
  container.className = 'live';
  ground.append(container);
  const map = new Map({
    container,
    style: styleUrl,
    // Mercator's world ends there.
    bounds: [[+west, Math.max(south, -85)], [+east, Math.min(north, 85)]],
    attributionControl: { compact: false },
    cooperativeGestures: true,
    locale: { 'Map.Title': 'Rows on the map' },
  });
  map.addControl(new NavigationControl({ showCompass: false }));
  // A tile that fails is no reason to have no map.
  await new Promise((loaded, failed) => {
    map.once('style.load', loaded);
    map.once('error', ({ error }) => failed(error));
  }).catch((error) => { map.remove(); container.remove(); throw error; });
  for (const picture of ground.querySelectorAll('svg')) picture.classList.add('under');
  for (const part of ['figcaption', '.box']) place.querySelector(part)?.remove();
  toDegrees = (point) => map.unproject(point).toArray();
  isBeyond = true;
  whileDrawing = (is) => map.dragPan[is ? 'disable' : 'enable']();
  map.addSource('rows', { type: 'geojson', data: new URL(features, location.href).href });
  const of = (...kinds) => ['in', ['geometry-type'], ['literal', kinds]];
  const layer = (id, type, paint, filter) => map.addLayer({ id, type, source: 'rows', paint, filter });
  layer('areas', 'fill', { 'fill-color': COLOUR, 'fill-opacity': 0.24 }, of('Polygon', 'MultiPolygon'));
  layer('lines', 'line', { 'line-color': COLOUR, 'line-width': 1.5 }, ['!', of('Point', 'MultiPoint')]);
  const point = { 'circle-color': COLOUR, 'circle-radius': 5, 'circle-stroke-color': '#fff', 'circle-stroke-width': 1 };
  layer('points', 'circle', point, of('Point', 'MultiPoint'));
  map.once('idle', () => { told.textContent = words; });
}

if (opener) {
  opener.hidden = false;
  opener.addEventListener('click', async () => {
    opener.disabled = true;
    told.textContent = 'The map is being loaded.';
    try {
      await open();
      opener.hidden = true;
    } catch {
      opener.disabled = false;
      told.textContent = 'The map cannot be shown here; the picture stays.';
    }
  });
}
