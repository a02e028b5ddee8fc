import { commandRows } from './rows-command.ts';
import { controlRows } from './rows-control.ts';
import { fileRows } from './rows-file.ts';
import { netRows } from './rows-net.ts';
import { pathRows } from './rows-path.ts';
import type { Row } from './row.ts';

export const ROWS: readonly Row[] = [...controlRows, ...commandRows, ...fileRows, ...pathRows, ...netRows];
