"use strict";
/* The page's own behaviour: language, map, table. Everything that a file said is put in as text, never as markup. */
(function () {
  var data = JSON.parse(document.getElementById("data").textContent);
  var root = document.documentElement;
  var lang = root.dataset.lang;
  if ("follow" in root.dataset && /^zh\b/.test(navigator.language)) lang = "zh"; /* the reader's own, where none was asked for */
  var words = data.words;
  var refresh = [];

  function byId(id) { return document.getElementById(id); }
  function make(tag, text, name) {
    var e = document.createElement(tag);
    if (text !== undefined) e.textContent = text;
    if (name) e.className = name;
    return e;
  }
  function sign(tone) {
    var svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    var use = document.createElementNS("http://www.w3.org/2000/svg", "use");
    svg.setAttribute("class", "sign " + tone);
    svg.setAttribute("aria-hidden", "true");
    use.setAttribute("href", "#sign-" + tone);
    svg.appendChild(use);
    return svg;
  }
  function fill(template, places) {
    return template.replace(/\{(\w+)\}/g, function (all, key) { return key in places ? places[key] : all; });
  }
  function digits(value, decimals, commas) {
    var text = value.toFixed(decimals);
    if (Number(text) === 0) text = (0).toFixed(decimals);
    return commas ? text.replace(/^(-?\d+)/, function (d) { return d.replace(/\B(?=(\d{3})+$)/g, ","); }) : text;
  }
  function number(value, scale) {
    return value === null ? "–" : digits(value / scale.factor, scale.decimals, scale.commas);
  }
  function withUnit(value, scale) {
    return value === null ? "–" : number(value, scale) + scale.gap + scale.unit;
  }

  /* ---------------------------------------------------------------- language */
  function speak(chosen) {
    lang = chosen;
    root.dataset.lang = lang;
    root.lang = lang === "zh" ? "zh-CN" : "en";
    document.querySelectorAll("[data-attr]").forEach(function (e) {
      if (e.dataset.attr === "text") e.textContent = e.dataset[lang];
      else e.setAttribute(e.dataset.attr, e.dataset[lang]);
    });
    document.querySelectorAll("[data-language]").forEach(function (b) {
      b.setAttribute("aria-pressed", String(b.dataset.language === lang));
    });
    refresh.forEach(function (f) { f(); });
  }
  document.querySelectorAll("[data-language]").forEach(function (b) {
    b.addEventListener("click", function () { speak(b.dataset.language); });
  });
  byId("print").addEventListener("click", function () { window.print(); });

  /* ---------------------------------------------------------------- table of regions */
  var regions = data.regions;
  function tableOfRegions() {
    var body = byId("table").tBodies[0], head = byId("table").tHead;
    var order = { key: null, down: true }, limit = data.rows, query = "";
    var judged = regions.verdicts.some(function (v) { return v.length; });

    function header() {
      var row = make("tr");
      function cell(key, name, unit) {
        var th = make("th"), button = make("button", name);
        th.scope = "col";
        button.type = "button";
        button.addEventListener("click", function () {
          order = { key: key, down: order.key === key ? !order.down : key !== "name" };
          header();
          rows();
          head.querySelector('[data-key="' + key + '"]').focus();
        });
        button.dataset.key = key;
        th.appendChild(button);
        var paper = make("span", name, "paper"); /* buttons are not drawn in a head that is repeated on every sheet */
        paper.setAttribute("aria-hidden", "true");
        th.appendChild(paper);
        if (unit) th.appendChild(make("small", unit));
        if (order.key === key) th.setAttribute("aria-sort", order.down ? "descending" : "ascending");
        row.appendChild(th);
      }
      cell("name", words.region[lang], "");
      if (judged) {
        var th = make("th", words.targets[lang]);
        th.scope = "col";
        th.style.textAlign = "left";
        row.appendChild(th);
      }
      regions.columns.forEach(function (c) { cell(c.key, c.name[lang], c.scale[lang].unit); });
      head.replaceChildren(row);
    }
    function chosen() {
      var wanted = query.trim().toLocaleLowerCase(), found = [];
      regions.names.forEach(function (name, i) {
        if ((name + " " + regions.ids[i]).toLocaleLowerCase().indexOf(wanted) >= 0) found.push(i);
      });
      if (order.key !== null) {
        var column = regions.columns.find(function (c) { return c.key === order.key; });
        found.sort(function (a, b) {
          if (!column) return (order.down ? -1 : 1) * regions.names[a].localeCompare(regions.names[b], "zh-CN");
          var x = column.values[a], y = column.values[b];
          if (x === null || y === null) return (x === null) - (y === null);
          return order.down ? y - x : x - y;
        });
      }
      return found;
    }
    function rows() {
      var found = chosen(), shown = found.slice(0, limit);
      body.replaceChildren.apply(body, shown.map(function (i) {
        var row = make("tr"), th = make("th");
        th.scope = "row";
        var name = make(window.L && data.shapes ? "button" : "span", regions.names[i]);
        if (name.tagName === "BUTTON") {
          name.type = "button";
          name.setAttribute("aria-label", fill(words.show[lang], { region: regions.names[i] }));
          name.addEventListener("click", function () { atlas.show(i); });
        }
        th.appendChild(name);
        if (regions.ids[i] !== regions.names[i]) th.appendChild(make("small", " " + regions.ids[i]));
        row.appendChild(th);
        if (judged) {
          var td = make("td", undefined, "verdicts");
          regions.verdicts[i].forEach(function (v) {
            var line = make("span");
            line.append(sign(v.sign), " " + v.text[lang]);
            td.appendChild(line);
          });
          row.appendChild(td);
        }
        regions.columns.forEach(function (c) { row.appendChild(make("td", number(c.values[i], c.scale[lang]))); });
        return row;
      }));
      byId("found").textContent = fill(words.found[lang], { shown: shown.length, all: regions.ids.length });
      byId("all").hidden = shown.length === found.length;
      byId("all").textContent = fill(words.all[lang], { all: found.length });
    }
    function quoted(text) {
      text = String(text);
      if (/^[=+\-@\t\r]/.test(text) && isNaN(Number(text))) text = "'" + text; /* a spreadsheet would run it */
      return /[",\r\n]/.test(text) ? '"' + text.replace(/"/g, '""') + '"' : text;
    }
    function csv() {
      var lines = [[words.id[lang], words.region[lang]].concat(regions.columns.map(function (c) {
        return c.name[lang] + " [" + c.unit[lang] + "]";
      }))];
      chosen().forEach(function (i) {
        lines.push([regions.ids[i], regions.names[i]].concat(regions.columns.map(function (c) {
          return c.values[i] === null ? "" : c.values[i];
        })));
      });
      return "\ufeff" + lines.map(function (l) { return l.map(quoted).join(","); }).join("\r\n") + "\r\n";
    }
    byId("find").addEventListener("input", function (e) { query = e.target.value; rows(); });
    byId("all").addEventListener("click", function () { limit = Infinity; rows(); });
    byId("download").addEventListener("click", function () {
      var link = make("a");
      link.href = URL.createObjectURL(new Blob([csv()], { type: "text/csv;charset=utf-8" }));
      link.download = "regions.csv";
      link.click();
      setTimeout(function () { URL.revokeObjectURL(link.href); }, 10000);
    });
    refresh.push(function () { header(); rows(); });
    window.report = { csv: csv };
  }

  /* ---------------------------------------------------------------- map */
  function mapOfRegions() {
    var map = L.map("leaflet", { attributionControl: false, zoomSnap: 0.25, minZoom: 0, maxZoom: 18, preferCanvas: data.many });
    var frame = L.latLngBounds([data.bounds[1], data.bounds[0]], [data.bounds[3], data.bounds[2]]);
    var shown = null, under = null, layers = {}, overlay = null;
    L.control.scale({ imperial: false }).addTo(map);
    map.zoomControl.setPosition("topright");
    map.fitBounds(frame, { animate: false });

    var shapes = L.geoJSON(data.shapes, {
      style: style,
      onEachFeature: function (feature, layer) {
        layers[feature.properties.i] = layer;
        layer.on("mouseover click", function () { under = feature.properties.i; mark(layer, true); });
        layer.on("mouseout", function () { under = null; mark(layer, false); tell(null); });
      },
    }).addTo(map);

    function mark(layer, on) {
      if (on) layer.setStyle({ weight: 3, color: "#0b2a20" });
      else shapes.resetStyle(layer);
      if (on) layer.bringToFront();
    }
    function colorOf(column, i) {
      var v = column.values[i], k = 1;
      if (v === null) return "#d5d5d5";
      while (k < column.colors.length && v >= column.breaks[k]) k += 1;
      return column.colors[k - 1];
    }
    function style(feature) {
      var column = shown && shown.column;
      return {
        weight: 1, color: column ? "#5d6b64" : "#2b3a33", opacity: 0.9, fill: true,
        fillColor: column ? colorOf(column, feature.properties.i) : "#fff", fillOpacity: column ? 0.88 : 0,
      };
    }
    function choose(choice) {
      shown = choice;
      if (overlay) { overlay.remove(); overlay = null; }
      if (choice.picture) {
        var b = choice.picture.bounds;
        overlay = L.imageOverlay(choice.picture.url, [[b[1], b[0]], [b[3], b[2]]], { alt: choice.picture.name[lang] }).addTo(map);
        overlay.bringToBack();
      }
      shapes.setStyle(style);
      legend();
    }

    /* What the pictures hold under the pointer is read back from their colours. */
    data.pictures.forEach(function (picture) {
      var image = new Image();
      image.onload = function () {
        var canvas = document.createElement("canvas");
        canvas.width = image.width;
        canvas.height = image.height;
        var pen = canvas.getContext("2d", { willReadFrequently: true });
        pen.drawImage(image, 0, 0);
        picture.pixels = pen.getImageData(0, 0, image.width, image.height);
        picture.index = {};
        picture.colors.forEach(function (c, n) { picture.index[c.join(",")] = n; });
      };
      image.src = picture.url;
    });
    function valueAt(picture, point) {
      if (!picture.pixels) return null;
      var b = picture.bounds, web = L.CRS.EPSG3857;
      var low = web.project(L.latLng(b[1], b[0])), high = web.project(L.latLng(b[3], b[2])), here = web.project(point);
      var x = Math.floor((here.x - low.x) / (high.x - low.x) * picture.pixels.width);
      var y = Math.floor((high.y - here.y) / (high.y - low.y) * picture.pixels.height);
      if (x < 0 || y < 0 || x >= picture.pixels.width || y >= picture.pixels.height) return null;
      var p = 4 * (y * picture.pixels.width + x), d = picture.pixels.data;
      if (d[p + 3] < 128) return null;
      var n = picture.index[[d[p], d[p + 1], d[p + 2]].join(",")];
      if (n === undefined) return null;
      return picture.scale ? withUnit(picture.values[n], picture.scale[lang]) : picture.values[n][lang];
    }
    function tell(point) {
      var box = byId("hover");
      box.replaceChildren();
      if (point && shown.picture) {
        var value = valueAt(shown.picture, point);
        if (value !== null) pair(words.here[lang] + " " + shown.picture.name[lang], value);
      }
      if (under !== null) {
        box.appendChild(make("b", regions.names[under]));
        regions.columns.forEach(function (c) {
          if (c.colors.length && c.values[under] !== null) pair(c.name[lang], withUnit(c.values[under], c.scale[lang]));
        });
      }
      if (!box.childNodes.length) box.textContent = words.hover[lang];
      function pair(name, value) {
        var span = make("span", name + " ", "pair");
        span.appendChild(make("strong", value));
        box.appendChild(span);
      }
    }
    map.on("mousemove click", function (e) { tell(e.latlng); });
    map.on("mouseout", function () { tell(null); });

    function legend() {
      var box = byId("legend"), list = make("ul"), column = shown.column, picture = shown.picture;
      box.replaceChildren();
      function entry(color, text) {
        var li = make("li"), i = make("i");
        i.style.background = color;
        li.append(i, text);
        list.appendChild(li);
      }
      if (column) {
        var scale = column.scale[lang];
        box.appendChild(make("b", column.name[lang] + (scale.unit ? " [" + scale.unit + "]" : "")));
        column.colors.forEach(function (c, k) {
          entry(c, number(column.breaks[k], scale) + " – " + number(column.breaks[k + 1], scale));
        });
        if (column.values.indexOf(null) >= 0) entry("#d5d5d5", words.none[lang]);
      } else if (picture && picture.scale) {
        box.appendChild(make("b", picture.name[lang] + " [" + picture.scale[lang].unit + "]"));
        var ramp = make("div", undefined, "ramp"), ends = make("div", undefined, "ramps");
        ramp.style.background = "linear-gradient(90deg," + picture.colors.map(function (c) { return "rgb(" + c + ")"; }) + ")";
        picture.limits.forEach(function (v) { ends.appendChild(make("span", number(v, picture.scale[lang]))); });
        box.append(ramp, ends);
      } else if (picture) {
        box.appendChild(make("b", picture.name[lang]));
        picture.values.forEach(function (name, n) { entry("rgb(" + picture.colors[n] + ")", name[lang]); });
      }
      if (list.childNodes.length) box.appendChild(list);
    }
    function chooser() {
      var box = byId("layers"), kept = shown;
      while (box.children.length > 1) box.lastChild.remove();
      function group(name, choices) {
        if (!choices.length) return;
        box.appendChild(make("div", name, "group"));
        choices.forEach(function (choice) {
          var label = make("label"), input = make("input");
          input.type = "radio";
          input.name = "layer";
          input.value = choice.key;
          input.checked = kept ? kept.key === choice.key : false;
          input.addEventListener("change", function () { choose(choice); });
          label.append(input, choice.name[lang]);
          box.appendChild(label);
        });
      }
      group(words.by_region[lang], choices.filter(function (c) { return c.column; }));
      group(words.by_pixel[lang], choices.filter(function (c) { return c.picture; }));
    }
    var choices = [];
    if (regions.ids.length > 1) regions.columns.forEach(function (c) {
      if (c.colors.length) choices.push({ key: c.key, name: c.name, column: c });
    });
    data.pictures.forEach(function (p) { choices.push({ key: "map-" + p.key, name: p.name, picture: p }); });
    byId("layers").hidden = !choices.length;
    byId("layers").parentNode.classList.toggle("bare", !choices.length);
    choose(choices[0] || { key: "" });
    refresh.push(function () { chooser(); legend(); tell(null); });

    var moved = false;
    map.on("dragstart zoomstart", function () { moved = true; });
    function fit() { map.fitBounds(frame, { animate: false }); moved = false; }
    window.addEventListener("resize", function () {
      if (moved) return;
      map.invalidateSize({ animate: false, pan: false });
      fit();
    });

    /* On paper the map has another size, and it must be known before the browser lays the paper out. */
    window.addEventListener("beforeprint", function () {
      byId("leaflet").style.width = "680px";
      byId("leaflet").style.height = "470px";
      map.invalidateSize({ animate: false, pan: false });
      fit();
    });
    window.addEventListener("afterprint", function () {
      byId("leaflet").style.width = byId("leaflet").style.height = "";
      map.invalidateSize({ animate: false, pan: false });
      fit();
    });
    fit();
    return {
      map: map,
      show: function (i) {
        if (!layers[i]) return;
        if (under !== null && layers[under]) mark(layers[under], false);
        under = i;
        map.fitBounds(layers[i].getBounds(), { maxZoom: 11, animate: false, padding: [40, 40] });
        mark(layers[i], true);
        tell(null);
        byId("map").scrollIntoView();
      },
    };
  }

  /* ---------------------------------------------------------------- paper */
  var opened = [];
  window.addEventListener("beforeprint", function () {
    opened = Array.prototype.filter.call(document.querySelectorAll("details"), function (d) { return !d.open; });
    opened.forEach(function (d) { d.open = true; });
  });
  window.addEventListener("afterprint", function () { opened.forEach(function (d) { d.open = false; }); });

  var atlas = null;
  if (byId("table")) tableOfRegions();
  if (byId("leaflet")) atlas = mapOfRegions();
  speak(lang);
})();
