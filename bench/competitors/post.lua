-- What wrk sends in the scenario `http`: BODY_BYTES in a POST. Said once, so that no Lua runs for a request.
wrk.method = "POST"
wrk.body = string.rep("x", tonumber(os.getenv("BODY_BYTES")))
wrk.headers["Content-Type"] = "application/octet-stream"
