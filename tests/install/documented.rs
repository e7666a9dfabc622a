//! docs/operator.md, "Installing": its commands are run, as they stand there, on two real clusters.
