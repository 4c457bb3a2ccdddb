// What an operator can do from the page. The token is kept in this module's memory and nowhere else: a reload forgets it.

const dialog = document.getElementById('ask');
const at = (id) => document.getElementById('ask-' + id);

let token = '';

export const currentToken = () => token;
export const forget = () => { token = ''; };

let settle = () => {}; // answers the question that is open

// ask shows the dialog and waits for what is typed; null: cancelled.
function ask({title, text, label, secret, ok, problem = ''}) {
	settle(null);
	at('title').textContent = title;
	at('text').textContent = text;
	at('label').textContent = label;
	at('ok').textContent = ok;
	at('problem').textContent = problem;
	const input = at('input');
	input.type = secret ? 'password' : 'text';
	input.value = '';
	dialog.returnValue = '';
	dialog.showModal();
	input.focus();
	return new Promise((done) => {
		settle = done;
	});
}

dialog.addEventListener('close', () => {
	if (dialog.open) {
		return; // it has been opened again before this event came
	}
	const typed = at('input').value;
	at('input').value = '';
	settle(dialog.returnValue === 'ok' ? typed : null);
});
at('ok').value = 'ok';
at('cancel').addEventListener('click', () => dialog.close(''));

// askToken asks for the token; false: cancelled.
export async function askToken(problem) {
	if (dialog.open) {
		return false;
	}
	const typed = await ask({
		title: 'Token',
		text: 'What weir’s admin.token-file holds. It stays in the memory of this page only.',
		label: 'Token',
		secret: true,
		ok: 'Unlock',
		problem,
	});
	if (typed === null) {
		return false;
	}
	token = typed.trim();
	return true;
}

// post asks weir to do something, and says so if it would not.
async function post(path, body, report) {
	try {
		const response = await fetch(path, {
			method: 'POST',
			headers: {Authorization: 'Bearer ' + token, 'Content-Type': 'application/json'},
			body: body ? JSON.stringify(body) : undefined,
		});
		if (!response.ok) {
			const answer = await response.json().catch(() => ({}));
			report('Not done: ' + (answer.error ?? 'weir answers ' + response.status));
		}
	} catch (error) {
		report('Not done: ' + error.message);
	}
}

// actions are what the buttons do; report tells people what went wrong.
export function actions(report) {
	return {
		async toggle(link, does) {
			const path = 'api/links/' + encodeURIComponent(link) + '/' + does;
			if (does === 'resume') {
				await post(path, null, report);
				return;
			}
			const reason = await ask({
				title: 'Pause the link',
				text: 'What is in flight is brought over first. The link stays paused until somebody resumes it.',
				label: 'Reason (for others who look)',
				ok: 'Pause',
			});
			if (reason !== null) {
				await post(path, reason ? {reason} : null, report);
			}
		},
		overflow: (link, mode) => post('api/shovels/' + encodeURIComponent(link) + '/overflow/' + mode, null, report),
	};
}
