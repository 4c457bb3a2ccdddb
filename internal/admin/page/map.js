// The map: the local broker in the middle, the others at its sides, and an arrow for each pair of brokers and direction.
// Several links between two brokers share an arrow, so that the map stays readable however many there are.

import {count, cut, perSecond, plain, set, write} from './text.js';

const levels = ['well', 'waiting', 'attention', 'down'];
const boxWidth = {wide: 160, narrow: 92};
const lane = {wide: 74, narrow: 84}; // height of an arrow with its words
const gap = 18; // between boxes
const wideFrom = 700; // pixels

export class RegionMap {
	#svg;
	#shape = '';
	#arrows = [];

	constructor(svg) {
		this.#svg = svg;
	}

	draw(snapshot, rates) {
		const width = Math.floor(this.#svg.parentElement.clientWidth - 2 * padding(this.#svg.parentElement));
		const pairs = pairsOf(snapshot);
		const shape = JSON.stringify([width, snapshot.local, snapshot.brokers, pairs.map((p) => [p.from, p.to])]);
		if (shape !== this.#shape) {
			this.#shape = shape;
			this.#arrows = this.#build(width, snapshot, pairs);
		}
		pairs.forEach((pair, i) => this.#arrows[i](pair, rates));
		set(this.#svg, 'aria-label', inWords(snapshot, pairs, rates));
	}

	#build(width, snapshot, pairs) {
		this.#svg.replaceChildren();
		const plan = layout(width, snapshot, pairs);
		set(this.#svg, 'width', width);
		set(this.#svg, 'height', plan.height);
		set(this.#svg, 'viewBox', `0 0 ${width} ${plan.height}`);
		plan.boxes.forEach((box) => this.#box(box));
		return plan.lanes.map((l) => this.#arrow(l, plan.narrow));
	}

	#box({x, y, w, h, name, kind, local, small}) {
		const g = this.#add('g', {class: local ? 'broker local' : 'broker'});
		add(g, 'rect', {x, y, width: w, height: h, rx: small ? 8 : 12});
		const fits = Math.floor((w - 16) / 8.4);
		const middle = y + h / 2;
		label(g, x + w / 2, small ? middle + 5 : middle - 2, cut(plain(name), fits), 'name', plain(name));
		if (!small) {
			label(g, x + w / 2, middle + 17, kind, 'kind');
		}
	}

	// #arrow draws one, and returns what brings it up to date.
	#arrow({x1, x2, y}, narrow) {
		const g = this.#add('g', {class: 'arrow'});
		const towards = Math.sign(x2 - x1);
		const title = add(g, 'title', {});
		add(g, 'path', {class: 'line', d: `M${x1} ${y}H${x2 - towards * 9}`});
		add(g, 'path', {class: 'head', d: `M${x2} ${y}l${-towards * 11} -6v12z`});
		const middle = (x1 + x2) / 2;
		const fits = Math.floor((Math.abs(x2 - x1) - 12) / (narrow ? 6.6 : 7));
		const above = label(g, middle, y - 9, '', 'name');
		const below = label(g, middle, y + 19, '', 'state');
		const third = label(g, middle, y + 35, '', 'lag');
		return (pair, rates) => {
			const s = summary(pair, rates);
			set(g, 'class', 'arrow ' + s.level + (s.moves ? ' moves' : '') + (s.reserve ? ' reserve' : ''));
			write(title, s.name + ': ' + [s.state, s.rate, s.lag].filter(Boolean).join(', '));
			write(above, cut(s.name, fits));
			const second = [s.state, s.rate];
			if (!narrow) {
				second.push(s.lag);
			}
			write(below, cut(second.filter(Boolean).join(' · '), fits));
			write(third, narrow ? cut(s.lag, fits) : '');
		};
	}

	#add(tag, attributes) {
		return add(this.#svg, tag, attributes);
	}
}

function padding(element) {
	return parseFloat(getComputedStyle(element).paddingLeft);
}

function add(parent, tag, attributes) {
	const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
	for (const [name, value] of Object.entries(attributes)) {
		element.setAttribute(name, value);
	}
	parent.append(element);
	return element;
}

function label(parent, x, y, text, kind, title) {
	const element = add(parent, 'text', {x, y, class: kind});
	element.textContent = text;
	if (title && title !== text) {
		add(parent, 'title', {}).textContent = title;
	}
	return element;
}

// pairsOf groups the links by where they come from and lead to.
function pairsOf(snapshot) {
	const pairs = new Map();
	for (const link of snapshot.links) {
		for (const to of link.to ?? []) {
			const key = JSON.stringify([link.from, to]);
			if (!pairs.has(key)) {
				pairs.set(key, {from: link.from, to, links: []});
			}
			pairs.get(key).links.push({link, reserve: Boolean(link.using) && link.using !== to});
		}
	}
	return [...pairs.values()];
}

// layout places boxes and lanes. The hub stands in the middle, or at the left where there is not room for that.
function layout(width, snapshot, pairs) {
	const narrow = width < wideFrom;
	const w = narrow ? boxWidth.narrow : boxWidth.wide;
	const h = narrow ? lane.narrow : lane.wide;
	const hub = hubOf(snapshot, pairs);
	const others = snapshot.brokers.filter((b) => b.name !== hub);
	const twoSides = !narrow && others.length > 1;
	const left = twoSides ? others.filter((_, i) => i % 2 === 1) : [];
	const right = others.filter((b) => !left.includes(b));
	const reach = (twoSides ? width : Math.min(width, 820)) - 1;
	const hubX = twoSides ? (width - w) / 2 : 1;

	const boxes = [];
	const lanes = new Map();
	const stack = (column, x, inner, outer) => {
		let y = 1;
		for (const b of column) {
			const mine = pairs.filter((p) => (p.from === hub && p.to === b.name) || (p.to === hub && p.from === b.name));
			const height = Math.max(1, mine.length) * h;
			boxes.push({x, y, w, h: height, name: b.name, kind: kindOf(b), small: false});
			mine.forEach((p, i) => {
				const at = y + h * (i + 0.5) - (narrow ? 10 : 4);
				lanes.set(p, p.from === hub ? {x1: inner, x2: outer, y: at} : {x1: outer, x2: inner, y: at});
			});
			y += height + gap;
		}
		return y - gap;
	};
	const edge = 6; // between an arrow and its boxes
	const heights = [
		stack(left, 1, hubX - edge, w + 1 + edge),
		stack(right, reach - w, hubX + w + edge, reach - w - edge),
	];
	let y = Math.max(...heights, h + 1);
	const local = snapshot.brokers.find((b) => b.name === hub);
	if (local) {
		boxes.push({x: hubX, y: 1, w, h: y - 1, name: hub, kind: kindOf(local), local: true, small: false});
	}
	// What neither begins nor ends at the hub has a line of its own below.
	for (const p of pairs.filter((p) => !lanes.has(p))) {
		y += gap;
		const at = y + h / 2 - 4;
		boxes.push({x: 1, y: at - 16, w, h: 32, name: p.from, small: true});
		boxes.push({x: reach - w, y: at - 16, w, h: 32, name: p.to, small: true});
		lanes.set(p, {x1: w + 1 + edge, x2: reach - w - edge, y: at});
		y += h;
	}
	return {narrow, height: y + 2, boxes, lanes: pairs.map((p) => lanes.get(p))};
}

// hubOf is the local broker, or the one with the most arrows.
function hubOf(snapshot, pairs) {
	if (snapshot.brokers.some((b) => b.name === snapshot.local)) {
		return snapshot.local;
	}
	const arrows = (name) => pairs.filter((p) => p.from === name || p.to === name).length;
	return [...snapshot.brokers].sort((a, b) => arrows(b.name) - arrows(a.name))[0]?.name;
}

function kindOf(broker) {
	return {rabbitmq: 'RabbitMQ', nats: 'NATS', embedded: 'embedded'}[broker.type] ?? plain(broker.type);
}

// summary is what an arrow says.
function summary({links}, rates) {
	const used = links.filter((l) => !l.reserve);
	if (used.length === 0) {
		return {name: title(links), level: 'waiting', state: 'in reserve', reserve: true, moves: false, rate: '', lag: ''};
	}
	const worst = used.reduce((a, b) => (levels.indexOf(b.link.level) > levels.indexOf(a.link.level) ? b : a)).link;
	const rate = used.reduce((sum, l) => sum + rates.of(l.link), 0);
	const ready = used.map((l) => (l.link.overflow?.depth ?? l.link.depth)?.ready).filter((n) => n !== undefined);
	return {
		name: title(links),
		level: worst.level,
		state: states(used),
		reserve: false,
		moves: rate > 0,
		rate: rate > 0 ? perSecond(rate) : '',
		lag: ready.length ? count(ready.reduce((a, b) => a + b)) + ' waiting' : '',
	};
}

function title(links) {
	return links.length === 1 ? plain(links[0].link.name) : links.length + ' links';
}

// states counts them where there are several: "2 running, 1 retrying".
function states(links) {
	if (links.length === 1) {
		return links[0].link.state;
	}
	const counts = new Map();
	for (const {link} of links) {
		counts.set(link.state, (counts.get(link.state) ?? 0) + 1);
	}
	return [...counts].map(([state, n]) => n + ' ' + state).join(', ');
}

// inWords is the map for those who do not see it.
function inWords(snapshot, pairs, rates) {
	const arrows = pairs.map((p) => {
		const s = summary(p, rates);
		return `${plain(p.from)} to ${plain(p.to)}: ${[s.name, s.state, s.rate, s.lag].filter(Boolean).join(', ')}`;
	});
	return `Map of ${snapshot.brokers.length} regions. ${arrows.join('. ')}`;
}
