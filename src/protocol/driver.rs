//! Recognition, buffering, skipping and errors of one flow: what all protocols share.
