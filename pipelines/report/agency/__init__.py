"""The tables that a Chinese agency's yearly report must hold, as far as a run can fill them."""
