/** The style of the report, for screens and paper. */
export const DRILL_REPORT_STYLE = `
:root { --ink: #1c2430; --soft: #5b6675; --line: #d9dee5; --good: #14713d; --bad: #b3261e; --unsure: #8a5a00; }
* { box-sizing: border-box; }
body { margin: 0; background: #eef1f4; color: var(--ink); font: 15px/1.5 system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif; }
main { max-width: 860px; margin: 32px auto; padding: 40px 48px; background: #fff; border: 1px solid var(--line); border-radius: 6px; }
header { display: grid; grid-template-columns: 1fr auto; align-items: baseline; column-gap: 24px; margin-bottom: 20px; }
header .kind { grid-column: 1 / -1; margin: 0; color: var(--soft); letter-spacing: .08em; text-transform: uppercase; font-size: 12px; }
h1 { margin: 0; font-size: 28px; line-height: 1.25; overflow-wrap: anywhere; }
h2 { margin: 28px 0 8px; padding-bottom: 4px; border-bottom: 1px solid var(--line); font-size: 16px; }
.when { margin: 0; color: var(--soft); white-space: nowrap; }
.verdict { padding: 14px 18px; border-left: 6px solid; border-radius: 4px; }
.verdict p { margin: 4px 0; }
.verdict .word { margin-top: 0; font-size: 20px; font-weight: 650; }
.verdict .reason { overflow-wrap: anywhere; }
.verdict .reason code { display: block; color: var(--soft); }
.verdict.passed { border-color: var(--good); background: #ecf6f0; }
.verdict.passed .word { color: var(--good); }
.verdict.failed { border-color: var(--bad); background: #fcefee; }
.verdict.failed .word { color: var(--bad); }
.verdict.impossible { border-color: var(--unsure); background: #fdf5e4; }
.verdict.impossible .word { color: var(--unsure); }
.figures { display: grid; grid-template-columns: repeat(3, 1fr); gap: 12px; margin: 20px 0 0; }
.figures div { padding: 12px 14px; border: 1px solid var(--line); border-radius: 4px; }
.figures dt { color: var(--soft); font-size: 13px; }
.figures dd { margin: 0; font-size: 19px; font-weight: 600; }
.figures dd.note { color: var(--soft); font-size: 12px; font-weight: 400; line-height: 1.35; }
.facts { display: grid; grid-template-columns: 170px 1fr; gap: 4px 16px; margin: 0; }
.facts dt { color: var(--soft); }
.facts dd { margin: 0; overflow-wrap: anywhere; }
table { width: 100%; border-collapse: collapse; font-size: 13.5px; table-layout: fixed; }
th { padding: 6px 8px; border-bottom: 1px solid var(--line); color: var(--soft); font-weight: 500; text-align: left; }
td { padding: 8px; border-bottom: 1px solid var(--line); vertical-align: top; overflow-wrap: anywhere; }
th:nth-child(1) { width: 13%; } th:nth-child(2) { width: 34%; } th:nth-child(5) { width: 10%; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.result { font-weight: 600; white-space: nowrap; }
tr.passed .result { color: var(--good); }
tr.failed .result { color: var(--bad); }
tr.failed td { background: #fcefee; }
tr.not-applicable .result { color: var(--soft); font-weight: 400; white-space: normal; }
td .kind { color: var(--soft); font-size: 12px; }
.details ul { margin: 6px 0 0; padding-left: 16px; color: var(--soft); font-size: 12.5px; }
code { font: 12.5px/1.4 ui-monospace, "SF Mono", Consolas, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
footer { margin-top: 32px; padding-top: 10px; border-top: 1px solid var(--line); color: var(--soft); font-size: 12.5px; }
footer p { margin: 4px 0; }
@media screen and (max-width: 640px) {
  main { margin: 0; padding: 20px; border: 0; }
  header, .figures { grid-template-columns: 1fr; }
  .facts { grid-template-columns: 1fr; gap: 0; }
  .facts dd { margin-bottom: 8px; }
  table, tbody, tr, td { display: block; }
  thead { display: none; }
  td { padding: 2px 8px; border: 0; }
  tr { padding: 8px 0; border-bottom: 1px solid var(--line); }
  td[data-name]::before { content: attr(data-name) ": "; color: var(--soft); }
  .number { text-align: left; }
}
@media print {
  @page { margin: 12mm 14mm; }
  body { background: #fff; font-size: 9pt; line-height: 1.35; }
  table { font-size: 8.5pt; }
  td { padding: 4px 6px; }
  header { margin-bottom: 10px; }
  h1 { font-size: 17pt; }
  h2 { margin: 12px 0 4px; font-size: 10.5pt; }
  .verdict { padding: 6px 12px; }
  .verdict .word { font-size: 12pt; }
  .figures { margin-top: 10px; }
  .figures div { padding: 6px 10px; }
  .figures dd { font-size: 12pt; }
  .figures dt, .figures dd.note { font-size: 8.5pt; }
  .facts { gap: 1px 16px; }
  code, td .kind, .details ul, footer { font-size: 8pt; }
  footer { margin-top: 16px; }
  main { max-width: none; margin: 0; padding: 0; border: 0; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  tr, .verdict, .figures div { break-inside: avoid; }
  thead { display: table-header-group; }
}
`;
