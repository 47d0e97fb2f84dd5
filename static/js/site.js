// What every page needs; pages with more load it themselves.
import "./errors.js";
import "./key-help.js";
import "./list-look.js";
import "./live.js";
import "./modal-dialog.js";
import "./palette.js";
import "./pressing.js";
import "./relative-time.js";
import "./rename-form.js";
import "./selection-bar.js";
import "./session-list.js";
import "./theme-toggle.js";
import "./undo-last.js";
import "./undo-toast.js";
