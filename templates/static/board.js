(function(){var b=document.getElementById("board"),c=document.getElementById("conn"),help=-1;if(!b||!window.EventSource)return;
var lang=document.documentElement.lang,states=["need_help","no_answer","unreachable","opened","confirmed","not_on_site"];
function put(k,v){document.querySelectorAll('[data-n="'+k+'"]').forEach(function(e){e.textContent=v.toLocaleString(lang)})}
function now(){return new Date().toLocaleTimeString(lang)}
var es=new EventSource(b.getAttribute("data-events"));
es.addEventListener("counts",function(e){var n=JSON.parse(e.data),x=0,a=n.need_help+n.confirmed+n.not_on_site;
states.forEach(function(k){put(k,n[k]);var r=document.querySelector('[data-bar="'+k+'"]'),w=n.recipients?100*n[k]/n.recipients:0;if(r){r.setAttribute("x",x);r.setAttribute("width",w)}x+=w});
put("answered",a);put("recipients",n.recipients);put("percent",n.recipients?Math.floor(100*a/n.recipients):0);
document.title=(n.need_help?"("+n.need_help+") ":"")+b.getAttribute("data-title");
if(help>=0&&n.need_help>help)document.getElementById("urgent").textContent=b.getAttribute("data-help");help=n.need_help;
c.textContent=c.getAttribute("data-live")+" "+now()});
es.onerror=function(){c.textContent=c.getAttribute("data-lost")+" "+now()}})();
