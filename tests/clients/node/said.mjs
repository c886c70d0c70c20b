// What the scripts here share: results as lines of JSON, what streams have told, and a client's view of its account.
const told = new Map();

export const said = (name, value) => console.log(JSON.stringify([name, value]));

export const heard = (kind) => (message) => told.set(kind, [...(told.get(kind) ?? []), message]);
heard.of = (kind) => told.get(kind) ?? [];
heard.kinds = () => [...told.keys()];

export async function gone(asking) {
  try {
    return JSON.stringify(await asking());
  } catch (error) {
    return error.message;
  }
}

export async function until(condition, timeoutMs = 20_000) {
  for (const end = Date.now() + timeoutMs; Date.now() < end; ) {
    if (condition()) return true;
    await new Promise((done) => setTimeout(done, 50));
  }
  return false;
}

export function view(state, fills) {
  const sum = (field) => fills.reduce((total, fill) => total + Number(fill[field]), 0);
  const position = state.assetPositions.reduce((total, item) => total + Number(item.position.szi), 0);
  return { position, fees: sum("fee"), realised: sum("closedPnl"), value: Number(state.marginSummary.accountValue) };
}
