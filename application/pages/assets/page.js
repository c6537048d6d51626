// Makes pages quicker to use; each is complete without it.

// Copy: a button beside what it copies.
for (const button of document.querySelectorAll('button[data-copy]')) {
  if (!navigator.clipboard) break;
  button.hidden = false;
  const label = button.firstChild;
  const words = label.textContent;
  button.addEventListener('click', async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    label.textContent = 'Copied';
    setTimeout(() => { label.textContent = words; }, 2000);
  });
}

// A summary of problems is read first.
document.querySelector('[data-focus]')?.focus();

// The address stays short: what was not touched is not sent.
function isUntouched(control) {
  if (control.type === 'checkbox' || control.type === 'radio') return !control.checked;
  return control.value === '';
}

function chosen(form) {
  const fields = [...form.querySelectorAll('input[name=field]')];
  // All columns, in the dataset's order, are the same as none named.
  const all = form.querySelector('#fields')?.hasAttribute('data-whole') && fields.every((field) => field.checked);
  const data = new URLSearchParams();
  for (const control of form.elements) {
    const [, kind, place] = /^(column|operator|value)-(\d+)$/.exec(control.name) ?? [];
    if (!control.name || isUntouched(control) || (all && control.name === 'field')) continue;
    if (kind && !isUsed(form, place)) continue;
    data.append(control.name, control.value);
  }
  return data;
}

function isUsed(form, place) {
  const { elements } = form;
  const operator = elements.namedItem(`operator-${place}`);
  const ticks = form.querySelector(`input[name="tick-${place}"]:checked`);
  const takesNone = operator?.selectedOptions[0]?.hasAttribute('data-alone');
  return Boolean(ticks || takesNone || elements.namedItem(`value-${place}`)?.value);
}

// How many rows the choices leave, before they are sent.
for (const form of document.querySelectorAll('form[data-live]')) {
  const told = form.querySelector('[data-count]');
  let timer;
  let asked;
  const look = async () => {
    asked?.abort();
    asked = new AbortController();
    try {
      const answer = await fetch(`${form.action}?${chosen(form)}`, { signal: asked.signal });
      const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
      const found = page.getElementById('sentence') ?? page.querySelector('.summary li');
      told.textContent = found?.textContent ?? '';
    } catch (error) {
      if (error.name !== 'AbortError') told.textContent = '';
    }
  };
  form.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(look, 500);
  });
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    location.assign(`${form.action}?${chosen(form)}`);
  });
}

// What was not known yet when the page was sent: rows, and sizes.
const pending = document.querySelector('[data-pending]');
if (pending) {
  const look = async (left) => {
    const answer = await fetch(location.href);
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
    const next = page.querySelector('.rail');
    if (!next) return;
    const isPending = next.hasAttribute('data-pending');
    pending.toggleAttribute('data-pending', isPending);
    if (isPending && left > 1) setTimeout(look, 2000, left - 1);
    // What nobody had time for says less than what is there.
    if (isPending && !next.querySelector('.button')?.textContent.includes('·')) return;
    for (const part of ['.sentence', '.apart', '.button', '.formats']) {
      const found = next.querySelector(part);
      if (found) pending.querySelector(part)?.replaceWith(found);
    }
  };
  setTimeout(look, 1500, 8);
}

// A result in the making: looks again until it is there.
const making = document.querySelector('[data-making]');
if (making) {
  const look = async () => {
    const answer = await fetch(location.href);
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
    const next = page.querySelector('[data-progress]');
    if (next) document.querySelector('[data-progress]').replaceChildren(...next.childNodes);
    if (page.querySelector('[data-making]')) setTimeout(look, 2000);
  };
  setTimeout(look, 2000);
}
