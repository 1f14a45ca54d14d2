"""The page's looks, wide and narrow, light, dark and printed; and the little that JavaScript adds."""

from __future__ import annotations

CSS = """
:root{--ink:#1c2126;--paper:#fff;--soft:#5a646e;--line:#d5dadf;--shade:#f2f5f7;--accent:#0b62a8;--good:#1b6e3c;
--bad:#a32121;--warn:#7a5200;--band:#cfd8e0;--mine:#ffe9a8}
@media screen and (prefers-color-scheme:dark){:root{--ink:#e4e8ec;--paper:#14181c;--soft:#9aa5b0;--line:#38424c;
--shade:#1d2329;--accent:#7db8ee;--good:#7fd39c;--bad:#f19a9a;--warn:#e8c06a;--band:#36424e;--mine:#5a4a12}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:76rem;padding:1rem 1.2rem 4rem;background:var(--paper);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
h1{font-size:1.7rem;margin:.6rem 0}h2{margin:2.4rem 0 .6rem;border-bottom:2px solid var(--line);font-size:1.35rem}
h3{margin:1.6rem 0 .4rem;font-size:1.1rem}h4{margin:1.1rem 0 .3rem;font-size:1rem}
nav a{margin-right:1rem}a{color:var(--accent)}p{max-width:52rem}
.banner{border-left:6px solid var(--warn);background:var(--shade);padding:.6rem 1rem;margin:1rem 0}
.scroll{overflow-x:auto;margin:.5rem 0}
table{border-collapse:collapse;font-size:.87rem;font-variant-numeric:tabular-nums}
table.sheet caption{position:absolute;clip-path:inset(50%);height:1px;overflow:hidden}
caption{text-align:left;color:var(--soft);padding:.2rem 0}
th,td{padding:.25rem .55rem;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap;vertical-align:top}
th{text-align:left;font-weight:600}thead th{border-bottom:2px solid var(--soft)}td.word,.claims td{text-align:left}
.claims th{font-weight:400;min-width:20rem}.claims thead th{font-weight:600;min-width:0}svg.forest{min-width:220px}
.claims td,.claims th,.wrap td,.wrap th{white-space:normal}
tr.odd>*{background:var(--shade)}tr.first>*{border-top:2px solid var(--soft)}
tr.control>*,tr.leaking>*,tr.unranked>*{color:var(--soft);font-style:italic}
tr.group th{background:var(--shade);font-weight:600}tr.ours td,tr.ours th{color:var(--accent)}
td.no-counterpart,td.not-run,td.hole,td.empty{color:var(--soft)}
tr.mine>*{background:var(--mine)!important}
.supported{color:var(--good);font-weight:600}.contradicted{color:var(--bad);font-weight:600}
.inconclusive{color:var(--warn);font-weight:600}.not-run{color:var(--soft)}
svg{max-width:100%;height:auto;overflow:visible}svg text{fill:var(--ink);font-size:9px}
svg .tick{fill:var(--soft)}svg .grid{stroke:var(--line);stroke-width:.6}
svg .line{fill:none;stroke:var(--accent);stroke-width:1.1;opacity:.75}svg .bar{stroke:var(--accent);opacity:.3}
svg circle{fill:var(--accent)}svg .hollow{fill:var(--paper);stroke:var(--accent)}
svg .control .line,svg .leaking .line,svg .control .bar,svg .leaking .bar{stroke:var(--soft)}
svg .control circle,svg .leaking circle{fill:var(--soft)}
svg .mine .line{stroke:var(--bad);stroke-width:2.6;opacity:1}svg .mine circle{fill:var(--bad)}
svg .band{fill:var(--band)}svg .zero{stroke:var(--ink)}svg .theirs{fill:none;stroke:var(--ink);stroke-width:1.3}
svg .ours{stroke:var(--accent);stroke-width:2}
figure{display:inline-block;margin:.4rem 1rem .4rem 0;vertical-align:top}figcaption{font-size:.85rem;color:var(--soft)}
details{margin:.3rem 0}summary{cursor:pointer;color:var(--accent)}
pre{background:var(--shade);padding:.6rem;overflow-x:auto;font-size:.78rem;max-height:24rem}
code{background:var(--shade);padding:0 .2rem}.notes{color:var(--soft);font-size:.85rem;max-width:60rem}
button{font:inherit;font-size:.8rem;margin:.2rem 0}
.several{columns:2;column-gap:2.5rem;padding-left:1rem}.several li{break-inside:avoid}
@media(max-width:40rem){.several{columns:1}body{padding:.6rem;font-size:14px}h1{font-size:1.3rem}}
@page{size:A4 landscape;margin:10mm}
@media print{:root{color-scheme:light;--ink:#000;--soft:#444;--line:#bbb;--shade:#f4f4f4;--accent:#003f70;--band:#ddd}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}
body{max-width:none;padding:0;font-size:10px}nav,button,.copy{display:none}
details::details-content{content-visibility:visible;display:block}summary{list-style:none;font-weight:600}
.scroll{overflow:visible}table{font-size:7.5px}th,td{white-space:normal;overflow-wrap:anywhere;padding:.15rem .3rem}
td{min-width:3em}.claims th{min-width:16rem}svg.forest{min-width:120px}
pre{max-height:none;overflow:visible;white-space:pre-wrap}
h2,h3,h4,summary,figcaption,caption{break-after:avoid}tr,figure{break-inside:avoid}}
"""

# `#task=wikiann&k=64&mine=my_method` marks one's own method and goes to a board. Nothing else needs it.
JAVASCRIPT = """
(function(){
function show(){var asked=new URLSearchParams(location.hash.slice(1));
var mine=asked.get('mine'),task=asked.get('task'),k=asked.get('k');
document.querySelectorAll('[data-method]').forEach(function(one){
one.classList.toggle('mine',one.getAttribute('data-method')===mine)});
if(task){var board=document.getElementById('task-'+task+(k?'-'+k:''));
if(board){if(board.tagName==='DETAILS')board.open=true;board.scrollIntoView()}}}
window.addEventListener('hashchange',show);show();
// On paper all is open, also where a browser's style cannot open it.
var shut=[];
window.addEventListener('beforeprint',function(){shut=Array.from(document.querySelectorAll('details:not([open])'));
shut.forEach(function(one){one.open=true})});
window.addEventListener('afterprint',function(){shut.forEach(function(one){one.open=false})});
document.querySelectorAll('pre').forEach(function(one){var button=document.createElement('button');
button.textContent='Copy';button.addEventListener('click',function(){
navigator.clipboard.writeText(one.textContent).then(function(){button.textContent='Copied'})});
one.parentNode.insertBefore(button,one)});
})();
"""
