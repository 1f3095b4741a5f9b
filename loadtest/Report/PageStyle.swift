extension Page {
    /// Paper and ink are the chat page's. Printed pages are light, whatever the screen is.
    static let style = """

        :root {
          color-scheme: light;
          --paper: #faf9f6; --raised: #ffffff; --line: #e2dfd6; --grid: #ebe8e0; --ink: #1f2423; --soft: #5c6562;
          --good: #23754a; --bad: #b3372b; --warning: #8a5a00;
          --c0: #0f6b62; --c1: #b4540a; --c2: #6a4fc3; --c3: #b02a5b; --c4: #1d6fb8; --c5: #6b6a00;
          font: 400 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif;
        }
        @media screen and (prefers-color-scheme: dark) {
          :root {
            color-scheme: dark;
            --paper: #161817; --raised: #1e2221; --line: #323836; --grid: #272c2b; --ink: #e6e9e7; --soft: #9ba5a1;
            --good: #63c98f; --bad: #f0897c; --warning: #e3b45c;
            --c0: #6ad0c1; --c1: #f0a35e; --c2: #b3a1f5; --c3: #f08bb0; --c4: #7cc0f5; --c5: #c5cc5a;
          }
        }
        * { box-sizing: border-box; margin: 0; }
        body { background: var(--paper); color: var(--ink); }
        main { max-width: 58rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
        header p { color: var(--soft); overflow-wrap: anywhere; }
        header .reason { color: var(--ink); }
        header .kind { font-size: 0.85rem; }
        h1 { font-size: 1.9rem; font-weight: 650; letter-spacing: -0.02em; line-height: 1.3; margin-bottom: 0.3rem; }
        h2 { font-size: 1.12rem; font-weight: 620; margin: 2.75rem 0 0.75rem; }
        .badge {
          display: inline-block; vertical-align: 0.3em; padding: 0.1rem 0.65rem; border: 1px solid currentColor;
          border-radius: 99rem; font-size: 0.85rem; font-weight: 600; letter-spacing: 0; white-space: nowrap;
        }
        .good { color: var(--good); }
        .bad { color: var(--bad); }
        .warning { color: var(--warning); }
        .soft { color: var(--soft); }
        .tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(max(9.5rem, 30%), 1fr)); gap: 0.75rem; }
        .tiles { margin-top: 1.5rem; }
        .tile {
          display: flex; flex-direction: column; padding: 0.7rem 0.95rem; background: var(--raised);
          border: 1px solid var(--line); border-radius: 0.6rem;
        }
        .tile .name { color: var(--soft); font-size: 0.85rem; line-height: 1.35; }
        .tile .value { font-size: 1.5rem; font-weight: 600; letter-spacing: -0.015em; white-space: nowrap; }
        .tile .remark { color: var(--soft); font-size: 0.82rem; }
        .tile.good, .tile.bad { border-left: 0.25rem solid currentColor; }
        .many { grid-template-columns: repeat(auto-fill, minmax(max(13rem, 30%), 1fr)); gap: 0.5rem; }
        .many .tile {
          display: grid; grid-template-columns: auto 1fr; column-gap: 0.6rem; align-items: baseline;
          align-content: start; padding: 0.4rem 0.75rem 0.5rem; border-radius: 0.4rem;
        }
        .many .value { font-size: 1.1rem; }
        .many .name { grid-row: 2; grid-column: 1 / -1; font-size: 0.8rem; }
        .many .remark { text-align: right; font-size: 0.78rem; }
        .scroll { overflow-x: auto; }
        .scroll + .scroll { margin-top: 1.25rem; }
        table { border-collapse: collapse; width: 100%; font-size: 0.92rem; }
        th, td { padding: 0.36rem 0.9rem 0.36rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
        th, td { text-align: left; }
        th { color: var(--soft); font-weight: 500; white-space: nowrap; vertical-align: bottom; }
        th.number, td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
        th:last-child, td:last-child { padding-right: 0; }
        td.good, td.bad { white-space: nowrap; }
        .groups th:first-child { width: 42%; }
        .groups tbody + tbody th { padding-top: 1.75rem; }
        table.even { table-layout: fixed; }
        th:first-child { white-space: normal; }
        table.even th:first-child { width: 34%; }
        td:first-child { min-width: 9rem; }
        figure { margin-bottom: 1.5rem; }
        figcaption { color: var(--soft); font-size: 0.92rem; margin-bottom: 0.4rem; }
        svg { display: block; width: 100%; min-width: 42rem; height: auto; }
        svg text { font-size: 12px; fill: var(--soft); }
        svg text.end { text-anchor: end; }
        svg text.middle { text-anchor: middle; }
        svg text.head { font-weight: 600; fill: var(--ink); }
        svg text.head { stroke: var(--paper); stroke-width: 5; paint-order: stroke; }
        svg text.name, svg text.more { font-weight: 550; fill: var(--ink); }
        svg path { fill: none; }
        .grid { stroke: var(--grid); }
        .axis { stroke: var(--soft); }
        .one { stroke: var(--soft); stroke-dasharray: 4 4; }
        .line path { stroke: currentColor; stroke-width: 2; stroke-linejoin: round; }
        .line circle { fill: currentColor; }
        .line.dashed path { stroke-dasharray: 6 4; }
        .thread { stroke: currentColor; stroke-width: 1; stroke-dasharray: 1 3; }
        svg text.good, svg text.bad { fill: currentColor; }
        .spread { stroke: var(--soft); stroke-width: 1.5; }
        .run { fill: var(--soft); fill-opacity: 0.4; }
        .median { fill: var(--c0); }
        .median.good { fill: var(--good); }
        .median.bad { fill: var(--bad); }
        .limit { stroke: var(--ink); stroke-width: 2.5; }
        .c0 { color: var(--c0); } .c1 { color: var(--c1); } .c2 { color: var(--c2); }
        .c3 { color: var(--c3); } .c4 { color: var(--c4); } .c5 { color: var(--c5); }
        svg text.c0, svg text.c1, svg text.c2, svg text.c3, svg text.c4, svg text.c5 { fill: currentColor; }
        @media print {
          :root { --paper: #ffffff; font-size: 11px; }
          main { max-width: none; padding: 0; }
          section, figure, .tile, tr { break-inside: avoid; }
          h2 { break-after: avoid; }
        }

        """
}
