-- What wrk sends in the scenario `http`: 4 KiB in a POST. Said once, so that no Lua runs for a request.
wrk.method = "POST"
wrk.body = string.rep("x", 4096)
wrk.headers["Content-Type"] = "application/octet-stream"
