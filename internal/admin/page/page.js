// The page: reads the live feed and brings everything up to date with each snapshot.

import {actions, askToken, currentToken, forget} from './actions.js';
import {gauges} from './gauges.js';
import {decisions, hops} from './lists.js';
import {RegionMap} from './map.js';
import {Rates} from './rates.js';
import {follow} from './stream.js';
import {table} from './table.js';
import {clock, day, make, plain, set, since, write} from './text.js';

const byId = (id) => document.getElementById(id);
const map = new RegionMap(byId('map'));
const rates = new Rates();
const act = actions(announce);
const states = new Map(); // by link, as last announced
let latest = null;

let doubted = ''; // why nothing is known for sure; empty: it is
let denying = false; // the token is being asked for because weir wants it

function show(snapshot) {
	latest = snapshot;
	doubted = '';
	rates.take(snapshot);
	draw();
	announceChanges(snapshot);
}

function draw() {
	if (!latest) {
		return;
	}
	const s = latest;
	write(byId('site'), plain(s.site));
	document.title = (s.verdict.level === 'well' && !doubted ? '' : '(!) ') + 'weir ' + plain(s.site);
	set(byId('verdict'), 'data-level', doubted ? 'attention' : s.verdict.level);
	write(byId('verdict-text'), doubted || plain(s.verdict.text));
	problems(s);
	map.draw(s, rates);
	gauges(byId('gauges'), s, act);
	const shown = table(byId('links').tBodies[0], s, rates, byId('only-down').checked, act);
	byId('no-links').hidden = shown > 0;
	write(byId('no-links'), s.links.length ? 'No link needs attention.' : 'No links are configured.');
	decisions(byId('decisions'), byId('no-decisions'), s);
	hops(byId('hops'), byId('no-hops'), s);
	write(byId('about'), `${plain(s.config.file)}, read ${day(s.config['loaded-at'])}; weir runs for ${since(s.started, s.at)}`);
	const unlock = byId('unlock');
	unlock.hidden = s.writes === 'off';
	write(unlock, s.writes === 'allowed' ? 'Lock buttons' : 'Unlock buttons');
}

// problems tells what is wrong with the configuration and with what federation finds on the brokers.
function problems({config, problems: found}) {
	const lines = [];
	if (config.rejected) {
		lines.push(`The configuration read at ${clock(config.rejected.at)} was refused; the one before is in force:`);
		lines.push(...(config.rejected.problems?.map(problem) ?? [config.rejected.error]));
		if (config.rejected.problems) {
			lines.push('Mend it, then weir reload: weir would not start again with it as it is.');
		}
	}
	if (config['waiting-for-restart']?.length) {
		lines.push('Changed, and waiting for a restart of weir: ' + config['waiting-for-restart'].join(', '));
	}
	for (const p of found ?? []) {
		lines.push([p.policy && 'policy ' + p.policy, p.broker && 'broker ' + p.broker, p.text].filter(Boolean).join(': ') +
			'; since ' + clock(p.since) + (p['next-try'] ? '; next try at ' + clock(p['next-try']) : ''));
	}
	const section = byId('problems');
	const text = lines.map(plain);
	section.hidden = text.length === 0;
	if (section.key !== text.join('\n')) {
		section.key = text.join('\n');
		section.replaceChildren(...text.map((line) => make('p', {}, line)));
	}
}

const problem = (p) => [p.line ? `${p.file}:${p.line}:${p.column}` : p.file, p.path, p.message].filter(Boolean).join(': ');

// announceChanges tells screen readers which links have changed state.
function announceChanges(snapshot) {
	const told = [];
	for (const link of snapshot.links) {
		const before = states.get(link.name);
		if (before !== undefined && before !== link.state) {
			told.push(`${plain(link.name)} is ${link.state}${link.reason ? ': ' + plain(link.reason) : ''}`);
		}
		states.set(link.name, link.state);
	}
	if (told.length > 0) {
		announce(told.length > 3 ? told.length + ' links have changed. ' + plain(snapshot.verdict.text) : told.join('. '));
	}
}

function announce(text) {
	write(byId('announce'), text);
	byId('announce').classList.toggle('problem', text.startsWith('Not done'));
}

// doubt says that nothing is known for sure.
function doubt(text) {
	doubted = text;
	set(byId('verdict'), 'data-level', 'attention');
	write(byId('verdict-text'), text);
}

const live = (yes, text) => {
	set(byId('live'), 'data-live', yes ? 'yes' : 'no');
	write(byId('live'), text);
};

const feed = follow(currentToken, {
	snapshot(s) {
		live(true, 'live');
		show(s);
	},
	lost(why) {
		live(false, 'not connected');
		doubt(latest ? `No connection to weir: what you see is of ${clock(latest.at)}` : `No connection to weir: ${plain(why)}`);
	},
	async denied() {
		const wrong = currentToken() !== '';
		forget();
		live(false, 'not connected');
		doubt('weir wants its token to be read from here');
		byId('unlock').hidden = false;
		denying = true; // the button is ours
		while (!await askToken(wrong ? 'This is not the token.' : '')) {
			await new Promise((done) => byId('unlock').addEventListener('click', done, {once: true}));
		}
		denying = false;
	},
});

byId('unlock').addEventListener('click', async () => {
	if (denying) {
		return;
	}
	if (latest?.writes === 'allowed') {
		forget();
		feed.again();
	} else if (latest && await askToken('')) {
		feed.again();
	}
});
byId('only-down').addEventListener('change', draw);
new ResizeObserver(draw).observe(document.body);
