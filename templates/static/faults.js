// The summary of faults takes the focus, so that nobody looks for it.
document.getElementById("faults").focus();
