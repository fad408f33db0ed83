#!/usr/bin/env node
// The railyard-agent command: starts the built program; knows nothing of what an agent does.
import "../dist/main.js";
