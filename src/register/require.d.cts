/** A Node that cannot require ES modules gets an error that says so: there is nothing here to import. */
declare const nothing: never;
export = nothing;
