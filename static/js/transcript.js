// What only the page of a session needs.
import "./clock-time.js";
import "./copy-menu.js";
import "./copy-text.js";
import "./day-line.js";
import "./rich-text.js";
import "./session-find.js";
import "./session-keys.js";
import "./shown-kinds.js";
import "./transcript-outline.js";
import "./transcript-stream.js";
