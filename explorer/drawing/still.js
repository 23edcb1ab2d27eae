// What a widget's front end knows as its model, where there is nobody at the other end: it stays as it was given.

/** @param {Record<string, any>} state Bytes as `{$bytes: base64}`. */
export class Still {
  constructor(state) {
    this.state = Object.fromEntries(Object.entries(state).map(([name, value]) => [name, revived(value)]));
  }
  get(name) {
    return this.state[name];
  }
  set(name, value) {
    Object.assign(this.state, typeof name === "string" ? { [name]: value } : name);
  }
  save_changes() {}
  on() {}
  off() {}
  send() {}
}

function revived(value) {
  if (value?.$bytes === undefined) return value;
  return new DataView(Uint8Array.from(atob(value.$bytes), (sign) => sign.charCodeAt(0)).buffer);
}
