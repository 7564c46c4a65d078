// Package webpage is the look of every page that people see: one layout, one style, one way to say that something went wrong.
//
// Pages are rendered on the server, run no script and load nothing: style and the tenant's logo are part of the document,
// and the Content-Security-Policy allows exactly these (CSP level 3, hash of the style; img-src data:). What a tenant may
// change is its name, a small raster logo and one accent colour, which is refused when people could not see it.
package webpage
