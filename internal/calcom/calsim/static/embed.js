// Cal.com serves here what a site loads to frame its calendars. The stand-in has none
// to load, since our sites bring their own; it names what its frames say and
// hear (static/book.js), so that who asks whether the protocol is still spoken gets an answer.
"use strict";
window.calStandIn = {
  hears: ["__iframeReady", "__dimensionChanged", "linkReady", "linkFailed"],
  says: ["parentKnowsIframeReady"],
};
