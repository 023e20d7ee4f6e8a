"use strict";
// A push that shows nothing is punished by browsers, so the notification comes
// first, whatever the message looks like, and everything else after it.
self.addEventListener("push",function(e){
var m={},n;try{m=e.data.json()}catch(x){}n=m.notification||{};
var id=n.lang==="id",read=m.answers==="read";
var o={body:n.body||"",lang:n.lang||"",tag:n.tag||"kentongan",renotify:true,requireInteraction:true,timestamp:n.timestamp||Date.now(),icon:"/static/icon-192.png",data:{token:m.token||"",go:n.navigate||"/me"}};
if(m.asks&&m.token)o.actions=[{action:"1",title:read?(id?"Paham":"Understood"):(id?"Saya aman":"I'm safe")},{action:"2",title:read?(id?"Ada kendala":"Problem"):(id?"Butuh bantuan":"Need help")}];
e.waitUntil(self.registration.showNotification(n.title||"!",o).then(function(){if(m.token)return fetch("/r/"+m.token+"/seen?c=webpush",{method:"POST",keepalive:true}).catch(function(){})}))});
self.addEventListener("notificationclick",function(e){
var n=e.notification,d=n.data||{};n.close();
if(!e.action||!d.token){e.waitUntil(self.clients.openWindow(d.go||"/me"));return}
e.waitUntil(fetch("/r/"+d.token,{method:"POST",headers:{"Content-Type":"application/x-www-form-urlencoded","X-Fragment":"1"},body:"a="+e.action+"&via=push&k=push-"+n.timestamp+"-"+Date.now()+"&said="+Date.now()}).then(function(r){if(!r.ok)throw r.status;return self.registration.showNotification(n.lang==="en"?"Recorded":"Tercatat",{tag:n.tag,body:n.title,lang:n.lang,icon:"/static/icon-192.png",data:d})}).catch(function(){return self.registration.showNotification(n.lang==="en"?"NOT SENT YET. Tap to answer.":"BELUM TERKIRIM. Ketuk untuk menjawab.",{tag:n.tag,body:n.title,lang:n.lang,requireInteraction:true,icon:"/static/icon-192.png",data:d})}))});
