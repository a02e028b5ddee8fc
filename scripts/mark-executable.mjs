// tsc writes files without the executable bit; npm sets it for a published bin, a clone needs it too.
import { chmodSync } from 'node:fs';

for (const file of process.argv.slice(2)) chmodSync(file, 0o755);
