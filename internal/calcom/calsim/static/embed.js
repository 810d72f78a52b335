// Cal.com serves here what a site loads to frame its calendars. The stand-in has none
// to load, since our sites bring their own; it only names the words of Cal.com's frame
// protocol, so that who asks whether it is still spoken gets an answer. Its own frames
// (static/book.js) speak all of them but linkFailed, since none of them fails.
"use strict";
window.calStandIn = {
  hears: ["__iframeReady", "__dimensionChanged", "linkReady", "linkFailed"],
  says: ["parentKnowsIframeReady"],
};
