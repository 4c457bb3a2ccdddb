// How fast each link is, measured from its totals over the last seconds.

const remembered = 5000; // milliseconds

export class Rates {
	#seen = new Map(); // samples by link, oldest first

	// take notes a snapshot.
	take(snapshot) {
		const at = Date.parse(snapshot.at);
		const seen = new Map();
		for (const link of snapshot.links) {
			const n = link.counts.confirmed;
			const samples = this.#seen.get(link.name) ?? [];
			const fresh = samples.filter((s) => s.at > at - remembered && s.n <= n); // a link that starts anew counts from 0
			fresh.push({at, n});
			seen.set(link.name, fresh);
		}
		this.#seen = seen;
	}

	// of is the rate of a link in messages a second. One that does not run has none, whatever it has just done.
	of(link) {
		const samples = link.state === 'running' ? this.#seen.get(link.name) ?? [] : [];
		const first = samples[0];
		const last = samples.at(-1);
		return samples.length < 2 || last.at === first.at ? 0 : (last.n - first.n) * 1000 / (last.at - first.at);
	}
}
