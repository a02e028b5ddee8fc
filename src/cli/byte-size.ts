const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** So many bytes, as people say it. */
export function sized(bytes: number): string {
  let unit = 0;
  while (bytes >= 1024 && unit < UNITS.length - 1) {
    bytes /= 1024;
    unit++;
  }
  return `${bytes.toFixed(unit === 0 || bytes >= 100 ? 0 : 1)} ${UNITS[unit]}`;
}
