// The live feed. It is read with fetch, because EventSource cannot send an Authorization header.

const longestPause = 10000; // milliseconds
const silence = 5000; // milliseconds without an event after which the connection counts as lost

// follow calls on.snapshot with each snapshot, on.lost when the connection has gone, and on.denied when the token is
// missing or wrong; it waits then until that answers with another one. stop ends what runs and begins again.
export function follow(token, on) {
	let connection = new AbortController();
	let pause = 500;

	async function run() {
		for (;;) {
			connection = new AbortController();
			try {
				await read(connection, token(), (snapshot) => {
					pause = 500;
					on.snapshot(snapshot);
				});
				on.lost('the connection has ended');
			} catch (error) {
				if (error.denied) {
					await on.denied();
					continue;
				}
				on.lost(error.message);
			}
			await new Promise((done) => setTimeout(done, pause));
			pause = Math.min(longestPause, pause * 2);
		}
	}

	run();
	return {again: () => connection.abort()};
}

async function read(connection, token, take) {
	const headers = token ? {Authorization: 'Bearer ' + token} : {};
	let watchdog = setTimeout(() => connection.abort(), silence * 2);
	try {
		const response = await fetch('api/events', {headers, signal: connection.signal, cache: 'no-store'});
		if (!response.ok) {
			const why = (await response.json().catch(() => ({}))).error || 'weir answers ' + response.status;
			throw Object.assign(new Error(why), {denied: response.status === 401});
		}
		const decoder = new TextDecoder();
		let text = '';
		for (const reader = response.body.getReader(); ;) {
			const {done, value} = await reader.read();
			if (done) {
				return;
			}
			clearTimeout(watchdog);
			watchdog = setTimeout(() => connection.abort(), silence);
			text += decoder.decode(value, {stream: true});
			const events = text.split('\n\n');
			text = events.pop();
			for (const event of events) {
				take(JSON.parse(event.slice(event.indexOf('data: ') + 'data: '.length)));
			}
		}
	} finally {
		clearTimeout(watchdog);
	}
}
