"use strict";
/* What the scripts say, in the language of the page: it carries each template that they have, told. */
const TOLD = JSON.parse(document.getElementById("told").textContent);
const say = (template, values = {}) =>
  (TOLD[template] || template).replace(/\{(\w+)\}/g, (part, name) => name in values ? values[name] : part);
