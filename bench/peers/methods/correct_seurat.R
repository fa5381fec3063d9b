# Seurat (Stuart et al., Cell 177, 2019): anchors between batches by canonical
# correlation or reciprocal PCA (--set reduction=cca or rpca), as Arevalo et al. call
# it: profiles as they are stand for counts, data and scaled data; all features.
#
# needs: r-cran-seurat r-cran-hdf5r
suppressMessages({ library(Seurat); library(hdf5r) })
args <- commandArgs(trailingOnly = TRUE)
after <- function(key, default) {
  at <- match(key, args)
  if (is.na(at)) default else args[at + 1]
}
seed <- as.integer(after("--seed", "0"))
reduction <- sub("reduction=", "", after("--set", "reduction=cca"))
source_file <- H5File$new(args[1], "r")
x <- source_file[["X"]][, ]             # features x points
batch <- source_file[["obs/batch/codes"]][]
n <- ncol(x)
rownames(x) <- paste0("f", seq_len(nrow(x)))
colnames(x) <- paste0("p", seq_len(n))

start <- proc.time()[["elapsed"]]
most <- min(50, nrow(x) - 1)
dims <- 1:min(30, most)
objects <- lapply(split(seq_len(n), batch), function(rows) {
  object <- CreateSeuratObject(counts = x[, rows])
  object <- SetAssayData(object, "scale.data", x[, rows])
  RunPCA(object, features = rownames(x), npcs = most, seed.use = seed,
         verbose = FALSE, approx = most < nrow(x) / 2)
})
few <- min(sapply(objects, ncol)) - 1
anchors <- FindIntegrationAnchors(
  object.list = objects, reduction = reduction, anchor.features = rownames(x),
  scale = FALSE, dims = dims, k.filter = min(200, few), k.score = min(30, few),
  verbose = FALSE)
# A profile's shift is that of the 100 nearest anchors, or of all there are.
pairs <- anchors@anchors
least <- min(tapply(pairs$cell2, paste(pairs$dataset1, pairs$dataset2),
                    function(cells) length(unique(cells))))
merged <- IntegrateData(anchors, dims = dims, k.weight = min(100, least),
                        verbose = FALSE)
found <- as.matrix(GetAssayData(merged, assay = "integrated"))
found <- found[rownames(x), colnames(x)]
seconds <- proc.time()[["elapsed"]] - start

out <- H5File$new(args[2], "w")
out$create_attr("encoding-type", "anndata", space = H5S$new("scalar"))
out$create_attr("encoding-version", "0.1.0", space = H5S$new("scalar"))
source_file$obj_copy_to(out, "obs", "obs")
source_file$obj_copy_to(out, "var", "var")
out[["X"]] <- unname(found)
out[["X"]]$create_attr("encoding-type", "array", space = H5S$new("scalar"))
out[["X"]]$create_attr("encoding-version", "0.2.0", space = H5S$new("scalar"))
out$close_all()
peak <- sub("[^0-9]*([0-9]+).*", "\\1",
            grep("VmHWM", readLines("/proc/self/status"), value = TRUE))
cat(sprintf('{"seconds": %.4f, "peak_mib": %.1f, "version": "Seurat %s, %s"}\n',
            seconds, as.numeric(peak) / 1024, packageVersion("Seurat"),
            R.version.string))
