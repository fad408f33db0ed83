#!/usr/bin/env node
// The railctl command: starts the built program; knows nothing of its verbs.
import "../dist/main.js";
