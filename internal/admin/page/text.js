// Text and elements. Names come from brokers, applications and files: they only ever become text nodes.

// hidden are characters that cannot be seen, or that turn the text around them: they are spelt out instead.
const hidden = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

export function plain(text) {
	return String(text ?? '').replace(hidden, (c) => '\\u' + c.charCodeAt(0).toString(16).padStart(4, '0'));
}

// cut shortens a text to so many characters.
export function cut(text, length) {
	const characters = [...text];
	return characters.length <= length ? text : characters.slice(0, Math.max(1, length - 1)).join('') + '…';
}

// write sets the text of an element, if it is another one, so that screen readers and selections are left alone.
export function write(element, text) {
	if (element.textContent !== text) {
		element.textContent = text;
	}
}

// set sets an attribute, if it is another one.
export function set(element, name, value) {
	if (element.getAttribute(name) !== String(value)) {
		element.setAttribute(name, value);
	}
}

// make makes an element with attributes and children.
export function make(tag, attributes = {}, ...children) {
	const element = document.createElement(tag);
	for (const [name, value] of Object.entries(attributes)) {
		element.setAttribute(name, value);
	}
	element.append(...children);
	return element;
}

// name is an element for a name of somebody else's: it is read in its own direction, and cannot turn what stands beside it.
export function name(text, attributes = {}) {
	return make('bdi', attributes, plain(text));
}

// keyed makes the children of parent match items: it keeps those whose key is still there, and so the focus in them.
export function keyed(parent, items, keyOf, create, update) {
	const before = new Map([...parent.children].map((child) => [child.key, child]));
	let place = parent.firstElementChild;
	for (const item of items) {
		const key = keyOf(item);
		let child = before.get(key);
		before.delete(key);
		if (!child) {
			child = create(item);
			child.key = key;
		}
		if (child === place) {
			place = place.nextElementSibling;
		} else {
			parent.insertBefore(child, place);
		}
		update(child, item);
	}
	for (const child of before.values()) {
		child.remove();
	}
}

const whole = new Intl.NumberFormat('en', {maximumFractionDigits: 0});
const fine = new Intl.NumberFormat('en', {maximumFractionDigits: 1});
const clockTime = new Intl.DateTimeFormat('en-GB', {timeStyle: 'medium'});
const dayTime = new Intl.DateTimeFormat('en-GB', {dateStyle: 'medium', timeStyle: 'medium'});

export const count = (n) => whole.format(n);
export const clock = (at) => clockTime.format(new Date(at));
export const day = (at) => dayTime.format(new Date(at));

export function perSecond(rate) {
	return (rate > 0 && rate < 10 ? fine : whole).format(rate) + '/s';
}

// took is how long something lasted, as 83 ms or 12.4s.
export function took(seconds) {
	if (seconds < 1) {
		return (seconds < 0.001 ? '<1' : Math.round(seconds * 1000)) + ' ms';
	}
	return seconds < 60 ? fine.format(seconds) + 's' : span(seconds);
}

// span is a length of time in whole seconds, as 3m 12s.
export function span(seconds) {
	const s = Math.max(0, Math.floor(seconds));
	if (s < 60) {
		return s + 's';
	}
	if (s < 3600) {
		return Math.floor(s / 60) + 'm ' + (s % 60) + 's';
	}
	if (s < 86400) {
		return Math.floor(s / 3600) + 'h ' + Math.floor((s % 3600) / 60) + 'm';
	}
	return Math.floor(s / 86400) + 'd ' + Math.floor((s % 86400) / 3600) + 'h';
}

// since is how long before now a moment was.
export const since = (then, now) => span((new Date(now) - new Date(then)) / 1000);
