/** The style of the list of snapshots. */
export const SNAPSHOT_PAGE_STYLE = `
:root { --ink: #1c2430; --soft: #5b6675; --line: #d9dee5; --good: #14713d; --link: #1a56b0; --warn: #8f3a0c; }
* { box-sizing: border-box; }
body { margin: 0; background: #eef1f4; color: var(--ink); font: 15px/1.5 system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1040px; margin: 32px auto; padding: 36px 44px; background: #fff; border: 1px solid var(--line); border-radius: 6px; }
h1 { margin: 0 0 4px; font-size: 26px; line-height: 1.25; }
.lead { margin: 0 0 20px; color: var(--soft); }
article { padding: 16px 0; border-top: 1px solid var(--line); }
h2 { display: inline; margin: 0; font-size: 17px; overflow-wrap: anywhere; }
h2 a { color: var(--link); }
.when { margin-left: 10px; color: var(--soft); white-space: nowrap; }
.facts { margin: 4px 0 8px; color: var(--soft); font-size: 13.5px; overflow-wrap: anywhere; }
.facts span { margin-right: 16px; }
.facts a { color: var(--link); }
.proven { color: var(--good); font-weight: 600; }
.blocked { margin: 0 0 8px; color: var(--warn); font-size: 13.5px; overflow-wrap: anywhere; }
pre { margin: 0; padding: 9px 12px; border: 1px solid var(--line); border-radius: 4px; background: #f6f8fa; white-space: pre-wrap; overflow-wrap: anywhere; font: 12.5px/1.45 ui-monospace, "SF Mono", Consolas, "DejaVu Sans Mono", monospace; user-select: all; }
.more { margin: 20px 0 0; }
footer { margin-top: 24px; padding-top: 10px; border-top: 1px solid var(--line); color: var(--soft); font-size: 12.5px; }
code { font: 12.5px ui-monospace, "SF Mono", Consolas, "DejaVu Sans Mono", monospace; }
@media (max-width: 640px) { main { margin: 0; padding: 18px; border: 0; } .when { display: block; margin: 0; } }
`;
