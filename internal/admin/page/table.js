// The table of links: what each does, and if it is not what it should, why and what to do.

import {count, keyed, make, name, perSecond, plain, set, since, span, took, write} from './text.js';

const calm = ['well', 'waiting'];

export function table(body, snapshot, rates, onlyDown, act) {
	const links = snapshot.links.filter((l) => !onlyDown || !calm.includes(l.level));
	keyed(body, links, (l) => l.name, (l) => create(l, act), (row, l) => update(row, l, snapshot, rates));
	return links.length;
}

function create(link, act) {
	const cell = (kind, label, ...children) => make('td', {class: kind, 'data-label': label}, ...children);
	const button = make('button', {type: 'button'});
	button.addEventListener('click', () => act.toggle(link.name, button.dataset.does));
	return make('tr', {},
		make('th', {scope: 'row'}, name(link.name), make('small', {class: 'kind'})),
		cell('state', 'State',
			make('span', {class: 'mark', 'aria-hidden': 'true'}), make('span', {class: 'word'}), make('small', {class: 'since'})),
		cell('ends', 'From and to', name('', {class: 'from'}), make('span', {class: 'to-arrow', 'aria-label': 'to'}, ' → '), name('', {class: 'to'})),
		cell('number rate', 'Rate'),
		cell('number flight', 'In flight'),
		cell('number confirmed', 'Confirmed'),
		cell('reason', 'Reason', make('span', {class: 'why'}), make('small', {class: 'advice'}), make('small', {class: 'heartbeat'})),
		cell('act', '', button));
}

function update(row, link, snapshot, rates) {
	const at = (kind) => row.querySelector(kind);
	set(row, 'data-level', link.level);
	write(at('.kind'), about(link));
	write(at('.word'), link.state);
	write(at('.since'), ' for ' + since(link.since, snapshot.at));
	write(at('.from'), plain(link.source));
	write(at('.to'), plain(link.using && link.route ? link.route : link.destination));
	write(at('.rate'), perSecond(rates.of(link)));
	write(at('.flight'), `${count(link['in-flight'])} of ${count(link.window)}`);
	write(at('.confirmed'), count(link.counts.confirmed));
	write(at('.why'), why(link, snapshot.at));
	write(at('.advice'), calm.includes(link.level) ? '' : link.meaning ?? '');
	write(at('.heartbeat'), heartbeat(link.heartbeat, snapshot.at));
	const does = link.state === 'paused' ? 'resume' : 'pause';
	const button = at('button');
	button.hidden = snapshot.writes !== 'allowed';
	set(button, 'data-does', does);
	set(button, 'aria-label', `${does} ${plain(link.name)}`);
	write(button, does === 'pause' ? 'Pause' : 'Resume');
}

// about is the kind of a link and, where federation has made it, why and how much it carries over.
function about(link) {
	const f = link.federation;
	if (!f) {
		return ' ' + link.kind;
	}
	const parts = [` ${link.kind} by policy ${plain(f.policy)}`];
	if (f.bindings !== undefined) {
		parts.push(count(f.bindings) + (f.bindings === 1 ? ' binding' : ' bindings'));
	}
	return parts.join(', ');
}

// heartbeat is how long a message takes now, or why that is not known.
function heartbeat(h, now) {
	if (!h) {
		return '';
	}
	const parts = [`heartbeat every ${span(h['every-seconds'])}`];
	if (h['lag-seconds'] !== undefined) {
		parts.push('the last took ' + took(h['lag-seconds']));
	}
	if (h['last-at']) {
		parts.push(`back ${since(h['last-at'], now)} ago`);
	}
	if (h.missed > 0) {
		parts.push(count(h.missed) + ' missed');
	}
	return parts.join(', ') + (h.problem ? '; ' + plain(h.problem) : '');
}

// why is the reason, and when the next try is due.
function why(link, now) {
	const parts = [link.reason || link.federation?.['bindings-problem'] || link.warning];
	const next = (new Date(link['next-try'] ?? now) - new Date(now)) / 1000;
	if (next > 0 && ['retrying', 'denied', 'holding'].includes(link.state)) {
		parts.push('next try in ' + span(Math.max(1, next)));
	}
	if (link.held > 0) {
		parts.push(count(link.held) + ' held');
	}
	return parts.filter(Boolean).map(plain).join('; ');
}
