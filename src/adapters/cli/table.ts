export { type Column, printable, tableLines } from '../../reports/table.ts';
