"""Playing a whole session with real mouse and key events, on screen or without one."""
