/** A form that came back with mistakes begins at them. */
document.getElementById("problems")?.focus();
