(function(){var m=document.getElementById("me"),b=document.getElementById("push"),s=document.getElementById("st");
if(window.EventSource){var n;new EventSource("/me/events").addEventListener("open",function(e){if(n!==undefined&&n!==e.data)location.reload();n=e.data})}
if(!("serviceWorker"in navigator)||!("PushManager"in window)||!window.Notification)return;
function key(t){var p=atob((t+"===".slice((t.length+3)%4)).replace(/-/g,"+").replace(/_/g,"/")),a=new Uint8Array(p.length);for(var i=0;i<p.length;i++)a[i]=p.charCodeAt(i);return a}
function on(){return navigator.serviceWorker.register("/sw.js").then(function(){return navigator.serviceWorker.ready}).then(function(r){return r.pushManager.subscribe({userVisibleOnly:true,applicationServerKey:key(m.getAttribute("data-key"))})}).then(function(x){return fetch("/me/subscribe",{method:"POST",headers:{"Content-Type":"application/json"},body:JSON.stringify(x)})}).then(function(r){if(!r.ok)throw r.status;s.textContent=m.getAttribute("data-on");b.hidden=true})}
function off(){s.textContent=m.getAttribute("data-off")}
if(Notification.permission==="granted"){on().catch(off);return}if(Notification.permission==="denied"){off();return}
b.hidden=false;b.onclick=function(){Notification.requestPermission().then(function(p){if(p==="granted")return on();b.hidden=true;off()}).catch(off)}})();
