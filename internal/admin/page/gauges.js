// Overflow: how full a queue is, between the thresholds that open and shut its shovel.

import {count, keyed, make, name, plain, set, since, span, write} from './text.js';

const words = {
	'messages-ready': {title: 'Messages ready', show: count, opens: 'opens at', shuts: 'shuts at'},
	'oldest-message': {title: 'Oldest message', show: span, opens: 'opens at', shuts: 'shuts at'},
	'consumers-below': {title: 'Consumers', show: count, opens: 'opens below', shuts: 'shuts at'},
};
const modes = ['auto', 'on', 'off'];

export function gauges(parent, snapshot, act) {
	const links = snapshot.links.filter((l) => l.overflow);
	parent.closest('section').hidden = links.length === 0;
	keyed(parent, links, (l) => l.name, (l) => create(l, act), (card, l) => update(card, l, snapshot));
}

function create(link, act) {
	const switches = make('div', {class: 'switch', role: 'group', 'aria-label': 'Overflow of ' + plain(link.name)});
	for (const mode of modes) {
		const button = make('button', {type: 'button', 'data-mode': mode}, mode);
		button.addEventListener('click', () => act.overflow(link.name, mode));
		switches.append(button);
	}
	return make('article', {class: 'card gauge'},
		make('div', {class: 'heading'}, make('h3', {}, name(link.name)), switches),
		make('p', {class: 'state'}, make('span', {class: 'mark', 'aria-hidden': 'true'}), make('span', {class: 'says'})),
		make('div', {class: 'meters'}));
}

function update(card, link, snapshot) {
	const o = link.overflow;
	set(card, 'data-open', o.open);
	set(card.querySelector('.state'), 'data-level', o.open ? 'open' : 'waiting');
	const hand = o.mode === 'auto' ? '' : ', by hand';
	write(card.querySelector('.says'), `${o.open ? 'open' : 'shut'}${hand} for ${since(o.since, snapshot.at)}` +
		(o.open && link.using ? ', to ' + plain(link.using) : ''));
	const switches = card.querySelector('.switch');
	switches.hidden = snapshot.writes !== 'allowed';
	for (const button of switches.children) {
		set(button, 'aria-pressed', button.dataset.mode === o.mode);
	}
	keyed(card.querySelector('.meters'), link.gauges ?? [], (g) => g.what, createMeter, updateMeter);
}

function createMeter(gauge) {
	const {title} = words[gauge.what] ?? {title: plain(gauge.what)};
	return make('div', {},
		make('p', {class: 'reading'}, make('span', {}, title), make('strong', {})),
		make('div', {class: 'meter', role: 'meter', 'aria-label': title},
			make('div', {class: 'fill'}), make('div', {class: 'tick stop'}), make('div', {class: 'tick start'})),
		make('p', {class: 'thresholds'}, make('span', {class: 'stop'}), make('span', {class: 'start'})));
}

function updateMeter(element, gauge) {
	const {show, opens, shuts} = words[gauge.what] ?? words['messages-ready'];
	const known = gauge.value !== undefined;
	const value = known ? gauge.value : 0;
	const most = Math.max(gauge.start * 1.4, gauge.stop * 1.4, value * 1.1, 1);
	const at = (n) => (100 * n / most).toFixed(2) + '%';
	const meter = element.querySelector('.meter');
	const over = gauge.what === 'consumers-below' ? value < gauge.start : value >= gauge.start;
	set(meter, 'data-over', known && over);
	meter.querySelector('.fill').style.width = at(value);
	meter.querySelector('.stop').style.left = at(gauge.stop);
	meter.querySelector('.start').style.left = at(gauge.start);
	const reading = known ? show(value) : 'not known';
	write(element.querySelector('strong'), reading);
	write(element.querySelector('.thresholds .stop'), `${shuts} ${show(gauge.stop)}`);
	write(element.querySelector('.thresholds .start'), `${opens} ${show(gauge.start)}`);
	set(meter, 'aria-valuemin', 0);
	set(meter, 'aria-valuemax', Math.ceil(most));
	set(meter, 'aria-valuenow', value);
	set(meter, 'aria-valuetext', `${reading}; ${opens} ${show(gauge.start)}, ${shuts} ${show(gauge.stop)}`);
}
