// The last decisions of overflow shovels, and the hops of recent messages.

import {clock, day, keyed, make, name, plain, took, write} from './text.js';

const decisionsShown = 8;

export function decisions(list, none, snapshot) {
	const all = snapshot.links
		.flatMap((l) => (l.overflow?.decisions ?? []).map((d) => ({...d, link: l.name})))
		.sort((a, b) => Date.parse(b.at) - Date.parse(a.at))
		.slice(0, decisionsShown);
	none.hidden = all.length > 0;
	keyed(list, all, (d) => d.at + d.link, decision, () => {});
}

function decision(d) {
	const item = entry(d.at, name(d.link), d.open ? 'opened' : 'shut', d.open ? 'open' : 'waiting');
	item.append(make('p', {}, plain(d.why) + (d.destination ? '; to ' + plain(d.destination) : '')));
	if (d['passed-over']?.length) {
		item.append(make('p', {class: 'aside'}, 'passed over: ' + d['passed-over'].map(plain).join('; ')));
	}
	return item;
}

export function hops(list, none, snapshot) {
	none.hidden = snapshot.hops.length > 0;
	keyed(list, snapshot.hops, (h) => [h.at, h.link, h['message-id'], h['trace-id']].join(), hop, () => {});
}

function hop(h) {
	const well = h.outcome === 'forwarded' || h.outcome === 'filtered';
	const item = entry(h.at, name(h['message-id'] || h['trace-id'] || 'without an id'), plain(h.outcome), well ? 'well' : 'attention');
	const parts = [];
	if (h['wait-seconds'] !== undefined) {
		parts.push(`waited ${took(h['wait-seconds'])} (${plain(h['wait-from'])})`);
	}
	if (h['confirm-seconds'] !== undefined) {
		parts.push('confirmed in ' + took(h['confirm-seconds']));
	}
	if (h.attempts > 1) {
		parts.push(h.attempts + ' attempts');
	}
	item.append(
		make('p', {}, name(h.link), ': ', name(h.source), make('span', {'aria-label': 'to'}, ' → '), name(h.destination)),
		make('p', {class: 'aside'}, parts.join(', ') + (h.why ? '; ' + plain(h.why) : '')));
	return item;
}

function entry(at, what, word, level) {
	const time = make('time', {datetime: at, title: day(at)});
	write(time, clock(at));
	return make('li', {'data-level': level},
		make('p', {class: 'head'}, time, make('span', {class: 'mark', 'aria-hidden': 'true'}), what, make('span', {class: 'word'}, word)));
}
