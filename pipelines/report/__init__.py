"""One HTML file that tells a finished run, in English and Chinese."""
