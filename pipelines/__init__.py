"""The running: opens files, walks blocks, writes maps and accounts."""
